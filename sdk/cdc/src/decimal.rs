//! Decimals as Kafka Connect writes them (big-endian two's complement of the unscaled value) to their exact text.

/// MySQL's longest decimal takes 28 bytes; nobody's takes more than this.
const MAX_BYTES: usize = 1024;
/// Digits behind the point that are believed.
const MAX_SCALE: i64 = 1024;

/// `None` where there are no bytes, or more of them or of the scale than any database has.
pub(crate) fn text(bytes: &[u8], scale: i64) -> Option<String> {
    if bytes.is_empty() || bytes.len() > MAX_BYTES || !(-MAX_SCALE..=MAX_SCALE).contains(&scale) {
        return None;
    }
    let negative = bytes[0] >= 0x80;
    let mut magnitude = bytes.to_vec();
    if negative {
        negate(&mut magnitude);
    }
    let mut digits = digits(magnitude);
    if scale < 0 && digits != "0" {
        digits.extend(std::iter::repeat_n('0', scale.unsigned_abs() as usize));
    }
    let behind = usize::try_from(scale).unwrap_or(0);
    if digits.len() <= behind {
        digits.insert_str(0, &"0".repeat(behind + 1 - digits.len()));
    }
    if behind > 0 {
        digits.insert(digits.len() - behind, '.');
    }
    if negative {
        digits.insert(0, '-');
    }
    Some(digits)
}

fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (value, more) = (!*byte).overflowing_add(u8::from(carry));
        (*byte, carry) = (value, more);
    }
}

/// Long division of the magnitude by 10^9, again and again.
fn digits(mut magnitude: Vec<u8>) -> String {
    let mut groups = Vec::new();
    while magnitude.iter().any(|byte| *byte != 0) {
        let mut rest = 0_u64;
        for byte in &mut magnitude {
            let value = rest << 8 | u64::from(*byte);
            // Below 256, since the rest is below the divisor.
            *byte = (value / 1_000_000_000) as u8;
            rest = value % 1_000_000_000;
        }
        groups.push(rest);
    }
    let Some(first) = groups.pop() else { return "0".into() };
    groups.iter().rev().fold(first.to_string(), |text, group| format!("{text}{group:09}"))
}

#[cfg(test)]
mod tests {
    use super::text;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn is_the_integer_with_a_point(value: i128, scale in 0_usize..40) {
            let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
            let (whole, behind) = digits.split_at(digits.len() - scale);
            let sign = if value < 0 { "-" } else { "" };
            let point = if scale > 0 { "." } else { "" };
            prop_assert_eq!(text(&value.to_be_bytes(), scale as i64), Some(format!("{sign}{whole}{point}{behind}")));
        }
    }

    #[test]
    fn shortest_forms_and_bounds() {
        assert_eq!(text(&[0x80], 0).as_deref(), Some("-128"));
        assert_eq!(text(&[0], 2).as_deref(), Some("0.00"));
        assert_eq!(text(&[0x03, 0xE7], 2).as_deref(), Some("9.99"));
        assert_eq!(text(&[12], -3).as_deref(), Some("12000"));
        assert_eq!(text(&[], 0), None);
        assert_eq!(text(&[1], i64::MAX), None);
    }
}
