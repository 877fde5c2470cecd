//! The header `grpc-timeout` of gRPC over HTTP/2: up to eight digits and a unit.

use std::time::Duration;

use http::{HeaderName, Request};
use tokio::time::Instant;

use crate::limits::Deadline;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const DIGITS: usize = 8;

/// Moves the caller's timeout from the header of a request to a [`Deadline`] in its extensions, counted from `arrived`. A timeout that
/// cannot be parsed counts as none.
///
/// Code that reads the header may respond with DeadlineExceeded or Cancelled by itself (tonic's transport does), after which driver 1.6
/// starts the pod on an empty volume.
pub(crate) fn extract<B>(request: &mut Request<B>, arrived: Instant) {
    let header = request.headers_mut().remove(GRPC_TIMEOUT);
    let timeout = header.and_then(|value| parse(value.to_str().ok()?));
    request.extensions_mut().insert(Deadline::new(arrived, timeout));
}

fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(3600 * count),
        "M" => Duration::from_secs(60 * count),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_parsed_and_anything_else_is_refused() {
        let seconds = |text| parse(text).map(|timeout| timeout.as_secs_f64());
        let good = [
            ("2H", 7200.0),
            ("2M", 120.0),
            ("2S", 2.0),
            ("120000m", 120.0),
            ("5u", 0.000_005),
            ("5n", 0.000_000_005),
            ("99999999H", 359_999_996_400.0),
        ];
        for (text, expected) in good {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "S", "1", "1s", "+1S", "-1S", "1.5S", "123456789S", "1 S", "1é"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn the_header_is_replaced_by_a_deadline() {
        let arrived = Instant::now();
        for (header, left) in [(Some("30S"), 20), (Some("1H"), 60), (Some("soon"), 60), (None, 60)] {
            let mut request = Request::new(());
            request.headers_mut().extend(header.map(|value| (GRPC_TIMEOUT, value.parse().unwrap())));
            extract(&mut request, arrived);
            assert!(!request.headers().contains_key(GRPC_TIMEOUT));
            assert_eq!(Deadline::of(request.extensions()) - arrived, Duration::from_secs(left));
        }
    }
}
