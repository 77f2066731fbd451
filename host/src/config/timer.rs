//! When a timed trigger fires. Pure: the time is a parameter, in milliseconds since the Unix epoch.
//!
//! Planned times hang on the clock alone, not on when a pipeline was started: `every` has the multiples of its duration
//! since the epoch, `cron` what its expression says. So two hosts plan the same times, and a restart moves none.

use std::{
    cmp::Ordering,
    fmt::{self, Display, Formatter},
    time::Duration,
};

use croner::{
    CivilDateTime, CronDateTime, Resolution, Weekday,
    errors::CronError,
    parser::{CronParser, Year},
};
use jiff::{
    SignedDuration, Timestamp, ZonedDateTime,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};

use super::value::{Leaf, Wrong, text_schema};

/// A timed trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    pub schedule: Schedule,
    pub scope: TimerScope,
}

/// Who fires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimerScope {
    /// The lane that has partition 0 of the first topic, on whichever host.
    #[default]
    Pipeline,
    /// Each lane that has a partition.
    Lane,
}

/// The planned times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Multiples of at least 100 ms since the Unix epoch.
    Every(Duration),
    Cron(Box<Cron>),
}

impl Schedule {
    /// The first planned time after `time`.
    pub fn next(&self, time: i64) -> Option<i64> {
        match self {
            Self::Every(every) => {
                let every = millis(*every);
                Some((time.div_euclid(every) + 1) * every)
            }
            Self::Cron(cron) => cron.next(time),
        }
    }

    /// The last planned time that is not after `time`.
    pub fn last(&self, time: i64) -> Option<i64> {
        match self {
            Self::Every(every) => {
                let every = millis(*every);
                Some(time.div_euclid(every) * every)
            }
            Self::Cron(cron) => cron.last(time),
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).max(1)
}

/// A cron expression in a time zone. A time that the zone skips in spring fires when it has passed; one that comes
/// twice in autumn fires once where the expression names an hour, and both times where it fires in every hour.
#[derive(Clone)]
pub struct Cron {
    text: String,
    expression: croner::Cron,
    zone: Zone,
}

/// Written alike is the same.
impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.zone) == (&other.text, &other.zone)
    }
}

impl Eq for Cron {}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, self.zone)
    }
}

impl Cron {
    pub(super) fn in_zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// IANA name of the time zone.
    pub fn zone(&self) -> String {
        self.zone.to_string()
    }

    pub(super) fn next(&self, time: i64) -> Option<i64> {
        self.find(|at| self.expression.find_next_occurrence(&at, false), time)
    }

    fn last(&self, time: i64) -> Option<i64> {
        self.find(|at| self.expression.find_previous_occurrence(&at, true), time)
    }

    fn find(&self, find: impl Fn(Local) -> Result<Local, CronError>, time: i64) -> Option<i64> {
        let second = Timestamp::from_second(time.div_euclid(1000)).ok()?;
        let found = find(Local(second.to_zoned_datetime(self.zone.0.clone()))).ok()?;
        Some(found.0.timestamp().as_millisecond())
    }
}

impl Leaf for Cron {
    fn expected() -> String {
        "a cron expression of five fields, or of six with seconds first".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        let parser = CronParser::builder().year(Year::Disallowed).build();
        let expression = parser.parse(text).map_err(|error| Wrong::help(error.to_string()))?;
        Ok(Self { text: text.to_owned(), expression, zone: Zone(TimeZone::UTC) })
    }
}

text_schema!(Cron, "examples": ["*/5 * * * *", "0 0 6 * * MON-FRI"], "$comment": "a cron expression");

/// A time zone of the IANA database, which comes with the program.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Zone(TimeZone);

impl Display for Zone {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl Leaf for Zone {
    fn expected() -> String {
        "the IANA name of a time zone, such as `Europe/Berlin`".to_owned()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        TimeZone::get(text).map(Self).map_err(|_| Wrong::default())
    }
}

text_schema!(Zone, "examples": ["UTC", "Europe/Berlin"], "$comment": "IANA name of a time zone");

/// Our library of dates, told to the one of cron expressions.
#[derive(Clone)]
struct Local(ZonedDateTime);

fn civil(datetime: DateTime) -> Result<CivilDateTime, CronError> {
    let part = |part: i8| u32::try_from(part).unwrap_or(0);
    let (month, day) = (part(datetime.month()), part(datetime.day()));
    let (hour, minute, second) = (part(datetime.hour()), part(datetime.minute()), part(datetime.second()));
    CivilDateTime::from_ymd_hms(i32::from(datetime.year()), month, day, hour, minute, second)
}

impl CronDateTime for Local {
    fn to_civil(&self) -> CivilDateTime {
        // Both libraries check the same ranges: a date of one is a date of the other.
        civil(self.0.datetime()).unwrap_or_else(|_| {
            CivilDateTime::new(croner::CivilDate::from_parts_unchecked(1970, 1, 1), croner::CivilTime::MIDNIGHT)
        })
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(u32::try_from(self.0.weekday().to_sunday_zero_offset()).unwrap_or(0))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |part: u32| i8::try_from(part).map_err(|_| CronError::InvalidDate);
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let (month, day) = (part(civil.month())?, part(civil.day())?);
        let (hour, minute, second) = (part(civil.hour())?, part(civil.minute())?, part(civil.second())?);
        let datetime = DateTime::new(year, month, day, hour, minute, second, 0).map_err(|_| CronError::InvalidDate)?;
        let ambiguous = self.0.time_zone().to_ambiguous_zoned_datetime(datetime);
        let time = |zoned: Result<ZonedDateTime, jiff::Error>| zoned.map(Self).map_err(|_| CronError::InvalidTime);
        Ok(match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => Resolution::Single(time(ambiguous.unambiguous())?),
            AmbiguousOffset::Fold { .. } => {
                Resolution::Ambiguous(time(ambiguous.clone().earlier())?, time(ambiguous.later())?)
            }
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(SignedDuration::from_secs(seconds)).ok().map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.timestamp().cmp(&other.0.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cron(text: &str, zone: &str) -> Cron {
        let parse = |text| Cron::parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
        parse(text).in_zone(Zone::parse(zone).unwrap_or_else(|_| panic!("{zone}")))
    }

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn times(cron: &Cron, after: &str, count: usize) -> Vec<String> {
        let next = |time: &i64| cron.next(*time);
        let times = std::iter::successors(cron.next(at(after)), next).take(count);
        times.map(|time| Timestamp::from_millisecond(time).unwrap().to_string()).collect()
    }

    #[test]
    fn expressions_fire_when_they_say() {
        let table = [
            ("*/5 * * * *", "UTC", "2026-01-31T23:57:12.5Z", ["2026-02-01T00:00:00Z", "2026-02-01T00:05:00Z"]),
            ("*/20 * * * * *", "UTC", "2026-01-01T00:00:40Z", ["2026-01-01T00:01:00Z", "2026-01-01T00:01:20Z"]),
            (
                "0 0 6 * * MON-FRI",
                "Europe/Berlin",
                "2026-01-30T12:00:00Z",
                ["2026-02-02T05:00:00Z", "2026-02-03T05:00:00Z"],
            ),
            ("0 12 L * *", "UTC", "2028-02-01T00:00:00Z", ["2028-02-29T12:00:00Z", "2028-03-31T12:00:00Z"]),
        ];
        for (text, zone, after, expected) in table {
            assert_eq!(times(&cron(text, zone), after, 2), expected, "{text}");
        }
    }

    /// 2026-03-29 has no 02:30 in Berlin, and 2026-10-25 has two.
    #[test]
    fn a_change_of_the_clock_skips_no_day_and_doubles_none() {
        let daily = cron("30 2 * * *", "Europe/Berlin");
        let spring = times(&daily, "2026-03-28T12:00:00Z", 2);
        assert_eq!(spring, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        let autumn = times(&daily, "2026-10-24T12:00:00Z", 2);
        assert_eq!(autumn, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        let half_hourly = times(&cron("*/30 * * * *", "Europe/Berlin"), "2026-10-24T23:45:00Z", 5);
        let all = ["00:00", "00:30", "01:00", "01:30", "02:00"].map(|time| format!("2026-10-25T{time}:00Z"));
        assert_eq!(half_hourly, all);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for bad in ["", "* * * *", "61 * * * *", "a b c d e", "* * * * * * 2026", "@sometimes"] {
            assert!(Cron::parse(bad).is_err(), "{bad}");
        }
        assert!(Zone::parse("Europe/Entenhausen").is_err());
        assert_eq!(cron("0 0 30 2 *", "UTC").next(at("2026-01-01T00:00:00Z")), None);
    }

    proptest! {
        #[test]
        fn the_last_time_is_not_after_and_the_next_one_is(time in 0_i64..4_000_000_000_000, every in 100_u64..100_000_000) {
            for schedule in [Schedule::Every(Duration::from_millis(every)), Schedule::Cron(Box::new(cron("*/7 3-5 * * *", "UTC")))] {
                let (last, next) = (schedule.last(time).unwrap(), schedule.next(time).unwrap());
                prop_assert!(last <= time && time < next, "{last} {time} {next}");
                prop_assert_eq!(schedule.next(last), Some(next));
                prop_assert_eq!(schedule.last(next), Some(next));
            }
        }
    }
}
