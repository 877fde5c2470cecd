//! Durations as Vault writes them.

use std::time::Duration;

/// Longer durations are cut to this: a century, which can be added to every time without overflow.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86400);

/// Parses seconds, or whole numbers that are each followed by a unit, `s`, `m`, `h` or `d`: `3600`, `24h`, `1h30m`. `None` for any other text.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(seconds);
    }
    let mut sum: u64 = 0;
    let mut rest = text;
    while let Some(end) = rest.find(|character: char| !character.is_ascii_digit()) {
        let (number, after) = rest.split_at(end);
        let unit = match after.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86400,
            _ => return None,
        };
        sum = number.parse::<u64>().ok()?.checked_mul(unit)?.checked_add(sum)?;
        rest = &after[1..];
    }
    (rest.is_empty() && !text.is_empty()).then(|| seconds(sum))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_seconds_or_numbers_with_units() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs());
        for (text, expected) in
            [("0", 0), ("3600", 3600), ("0s", 0), ("24h", 86400), ("1h30m", 5400), ("1d12h", 129_600)]
        {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        assert_eq!(
            (seconds("9999999999999999999"), seconds("400000d")),
            (Some(LONGEST.as_secs()), Some(LONGEST.as_secs()))
        );
        for text in
            ["", "h", "1h30", "1 h", "-1s", "1.5h", "1w", "99999999999999999999s", "9999999999999999999d"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
