//! Days and fractions of seconds since 1970 to the texts that MySQL writes.

const DAY: i64 = 86_400;

/// `2016-02-29`. The civil calendar, run backwards too; `None` beyond the years 0 to 9999, which are MySQL's.
pub(crate) fn date(days: i64) -> Option<String> {
    // Days of eras of 400 years that begin on a 1st of March: leap days come last, so months need no table.
    let days = days.checked_add(719_468)?;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (0..=9999).contains(&year).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// `12:34:56.789`, of a duration of so many units, `per` of which are a second. MySQL's times go beyond a day and
/// below zero.
pub(crate) fn time(units: i64, per: i64) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let (units, per) = (units.unsigned_abs(), per.unsigned_abs());
    let (seconds, behind) = (units / per, units % per);
    let clock = format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if behind == 0 {
        return clock;
    }
    let width = per.ilog10() as usize;
    let fraction = format!("{behind:0width$}");
    format!("{clock}.{}", fraction.trim_end_matches('0'))
}

/// `2016-02-29 12:34:56.789`, of a moment that lies so many units after 1970.
pub(crate) fn datetime(units: i64, per: i64) -> Option<String> {
    let day = DAY.checked_mul(per)?;
    Some(format!("{} {}", date(units.div_euclid(day))?, time(units.rem_euclid(day), per)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_mysql_follows_the_one_before() {
        // 0000-03-01 to 9999-12-31: each date is the largest so far, and no month has a day that it has not.
        let mut last = String::new();
        for days in -719_468..=2_932_896 {
            let date = date(days).unwrap();
            assert!(date > last, "{date} after {last}");
            last = date;
        }
        assert_eq!(last, "9999-12-31");
        assert_eq!((date(0).as_deref(), date(16_860).as_deref()), (Some("1970-01-01"), Some("2016-02-29")));
        assert_eq!((date(-1).as_deref(), date(2_932_897), date(i64::MAX)), (Some("1969-12-31"), None, None));
    }

    #[test]
    fn times_and_moments() {
        assert_eq!(time(-3_020_399_000_000, 1_000_000), "-838:59:59");
        assert_eq!(datetime(-1, 1_000_000).as_deref(), Some("1969-12-31 23:59:59.999999"));
        assert_eq!(datetime(1_456_749_296_120, 1000).as_deref(), Some("2016-02-29 12:34:56.12"));
        assert_eq!(datetime(i64::MAX, 1), None);
    }
}
