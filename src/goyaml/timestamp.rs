//! Times as yaml.v3 reads them: a plain scalar such as `2001-12-14t21:59:43.10-05:00` is a time, and Go's `encoding/json` writes it
//! in the form of RFC 3339 (`parseTimestamp` of v3.0.1, `time.Parse` of Go).

/// The time as Go's `encoding/json` writes it; `None` if `text` is not a time.
pub(crate) fn rfc3339(text: &str) -> Option<String> {
    let mut left = text;
    let year = number(&mut left, 4, 4)?;
    literal(&mut left, "-")?;
    let month = number(&mut left, 1, 2)?;
    literal(&mut left, "-")?;
    let day = number(&mut left, 1, 2)?;
    if !(1..=12).contains(&month) || !(1..=days(year, month)).contains(&day) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if left.is_empty() {
        return Some(format!("{date}T00:00:00Z"));
    }
    let zoned = left.starts_with(['T', 't']);
    left = left.strip_prefix(['T', 't', ' '])?;
    let time = time(&mut left)?;
    let zone = if zoned { zone(left)? } else { left.is_empty().then(|| "Z".to_owned())? };
    Some(format!("{date}T{time}{zone}"))
}

fn time(left: &mut &str) -> Option<String> {
    let hour = number(left, 1, 2).filter(|hour| *hour < 24)?;
    literal(left, ":")?;
    let minute = number(left, 1, 2).filter(|minute| *minute < 60)?;
    literal(left, ":")?;
    let second = number(left, 1, 2).filter(|second| *second < 60)?;
    Some(format!("{hour:02}:{minute:02}:{second:02}{}", fraction(left)))
}

/// `.5` after the seconds, cut to nanoseconds, without zeros at its end.
fn fraction(left: &mut &str) -> String {
    let Some(rest) = left.strip_prefix(['.', ',']) else { return String::new() };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return String::new();
    }
    let (fraction, after) = rest.split_at(digits);
    *left = after;
    let fraction = fraction[..digits.min(9)].trim_end_matches('0');
    if fraction.is_empty() { String::new() } else { format!(".{fraction}") }
}

fn zone(mut left: &str) -> Option<String> {
    if left == "Z" {
        return Some(left.to_owned());
    }
    let sign = left.chars().next().filter(|sign| matches!(sign, '+' | '-'))?;
    left = &left[1..];
    let hours = number(&mut left, 2, 2).filter(|hours| *hours < 24)?;
    literal(&mut left, ":")?;
    let minutes = number(&mut left, 2, 2).filter(|minutes| *minutes < 60)?;
    let zone =
        if (hours, minutes) == (0, 0) { "Z".to_owned() } else { format!("{sign}{hours:02}:{minutes:02}") };
    left.is_empty().then_some(zone)
}

/// Takes `least` to `most` digits.
fn number(left: &mut &str, least: usize, most: usize) -> Option<u32> {
    let digits = left.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (number, after) = left.split_at(digits);
    *left = after;
    number.parse().ok().filter(|_| digits >= least)
}

fn literal(left: &mut &str, literal: &str) -> Option<()> {
    *left = left.strip_prefix(literal)?;
    Some(())
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use crate::goyaml::timestamp::rfc3339;

    #[test]
    fn a_time_reads_as_go_writes_it() {
        let cases = [
            ("2001-1-2", Some("2001-01-02T00:00:00Z")),
            ("2001-12-14t21:59:43.10-05:00", Some("2001-12-14T21:59:43.1-05:00")),
            ("2001-12-15 2:59:43.1234567899", Some("2001-12-15T02:59:43.123456789Z")),
            ("2001-12-15T02:59:43+00:00", Some("2001-12-15T02:59:43Z")),
            ("2001-12-15T02:59:43", None),
            ("2001-12-14 21:59:43.10 -5", None),
            ("2001-2-29", None),
            ("2000-02-29", Some("2000-02-29T00:00:00Z")),
            ("200-02-02", None),
            ("20010-02-02", None),
        ];
        for (text, time) in cases {
            assert_eq!(rfc3339(text).as_deref(), time, "{text}");
        }
    }
}
