//! Durations as Vault writes them.

use std::time::Duration;

/// Reads seconds, or whole numbers with the units `s`, `m`, `h` and `d` one after the other: `3600`, `24h`, `1h30m`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let mut seconds: u64 = 0;
    let mut rest = text;
    while let Some(end) = rest.find(|character: char| !character.is_ascii_digit()) {
        let (number, behind) = rest.split_at(end);
        let unit = match behind.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            _ => return None,
        };
        seconds = number.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(seconds)?;
        rest = &behind[1..];
    }
    (rest.is_empty() && !text.is_empty()).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_alone_or_with_a_unit_each() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs());
        for (text, expected) in [("0", 0), ("3600", 3600), ("0s", 0), ("24h", 86400), ("1h30m", 5400), ("1d12h", 129_600)] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "h", "1h30", "1 h", "-1s", "1.5h", "1w", "99999999999999999999s", "9999999999999999999d"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
