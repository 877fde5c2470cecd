//! Parsers of flag values, and the rule that an empty flag counts as absent.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::class::go_bool;

/// The value of a text flag; `None` if it is empty, as in the upstream providers, whose charts pass empty flags.
pub(crate) fn non_empty(flag: Option<&str>) -> Option<&str> {
    flag.filter(|text| !text.is_empty())
}

/// The same for a path.
pub(crate) fn non_empty_path(flag: Option<PathBuf>) -> Option<PathBuf> {
    flag.filter(|path| !path.as_os_str().is_empty())
}

/// Parses a path, which may be empty: see [`non_empty_path`].
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Parses a boolean in Go's spellings.
pub(crate) fn boolean(text: &str) -> Result<bool, &'static str> {
    go_bool(text).ok_or("must be true or false")
}

/// Parses a duration in Go's spelling, with whole numbers only: `90s`, `1m30s`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    let error = "must be a duration such as 20s or 1m30s";
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let unit = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(unit);
        let unit = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return Err(error),
        };
        let part = number.parse().ok().and_then(|number| unit.checked_mul(number));
        sum = part.and_then(|part| sum.checked_add(part)).ok_or(error)?;
        rest = after;
    }
    if text.is_empty() { Err(error) } else { Ok(sum) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_go_writes_it() {
        let cases = [("20s", 20_000), ("1m30s", 90_000), ("500ms", 500), ("2h", 7_200_000), ("0s", 0)];
        for (text, milliseconds) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "20", "s", "20x", "-1s", "1.5s", "99999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
