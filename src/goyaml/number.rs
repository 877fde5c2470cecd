//! Integers and floats as yaml.v3 reads them: the forms of YAML 1.1 and of 1.2 (`resolve.go` of v3.0.1).

/// A number as Go stores it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// Fits an `i64` or a `u64`.
    Integer(i128),
    /// Everything else, infinities and NaN included.
    Float(f64),
}

/// The number that `text` is; `None` if it is not a number.
pub(crate) fn parse(text: &str) -> Option<Number> {
    if let Some(special) = special(text) {
        return Some(Number::Float(special));
    }
    if text.starts_with('.') {
        return decimal(text);
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-')) {
        return None;
    }
    let digits = text.replace('_', "");
    integer(&digits).map(Number::Integer).or_else(|| decimal(&digits))
}

fn special(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// `12`, `-0x1F`, `0b101`, `0o17`, and `017`, which is octal too; `None` beyond 64 bits.
fn integer(text: &str) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.starts_with('-'), rest),
        None => (false, text),
    };
    let (radix, digits) = radix(unsigned);
    if !digits.starts_with(|first: char| first.is_ascii_hexdigit()) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    let highest = if text.starts_with('+') { i64::MAX.into() } else { u64::MAX.into() };
    (i128::from(i64::MIN)..=highest).contains(&value).then_some(value)
}

fn radix(text: &str) -> (u32, &str) {
    let prefixes = [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)];
    let prefixed = prefixes.iter().find_map(|(prefix, radix)| Some((*radix, text.strip_prefix(prefix)?)));
    prefixed.unwrap_or(match text.strip_prefix('0') {
        Some(rest) if !rest.is_empty() => (8, rest),
        _ => (10, text),
    })
}

/// `1.5`, `.5`, `1.`, `1e3`, and `08`, which is no octal number; `None` if it overflows.
fn decimal(text: &str) -> Option<Number> {
    let (mantissa, exponent) =
        text.split_once(['e', 'E']).map_or((text, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let mantissa = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.is_none_or(|text| {
        let text = text.strip_prefix(['+', '-']).unwrap_or(text);
        !text.is_empty() && digits(text)
    });
    let well_formed =
        exponent && digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let value: f64 = text.parse().ok().filter(|_| well_formed)?;
    value.is_finite().then_some(Number::Float(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_is_the_number_that_go_makes_of_it() {
        let whole = |value: i128| Some(Number::Integer(value));
        let cases = [
            ("0644", whole(0o644)),
            ("0o644", whole(0o644)),
            ("420", whole(420)),
            ("0x1A4", whole(420)),
            ("-0b11", whole(-3)),
            ("1_000", whole(1000)),
            ("0", whole(0)),
            ("18446744073709551615", whole(u64::MAX.into())),
            ("18446744073709551616", Some(Number::Float(18446744073709551616.0))),
            ("08", Some(Number::Float(8.0))),
            ("1e3", Some(Number::Float(1000.0))),
            (".5", Some(Number::Float(0.5))),
            ("1.", Some(Number::Float(1.0))),
            ("1e999", None),
            (".", None),
            ("-", None),
            ("0x", None),
            ("1.2.3", None),
            ("1e", None),
            ("12a", None),
            ("10.0.0.1", None),
        ];
        for (text, number) in cases {
            assert_eq!(parse(text), number, "{text}");
        }
    }
}
