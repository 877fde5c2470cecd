//! Deadlines in, forbidden codes and panics never out.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tower::Service;

use crate::error::{Failure, Reason};
use crate::provider::Deadline;

/// A gRPC service as tonic generates it.
pub trait Grpc:
    Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> Grpc for S where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

/// gRPC codes after which driver 1.6 tells the kubelet that all is well, and the pod starts on an empty volume:
/// Cancelled, DeadlineExceeded, ResourceExhausted, Aborted, Unavailable.
const FORBIDDEN: [&str; 5] = ["1", "4", "8", "10", "14"];

/// Longest wait for an answer, in seconds, whatever the caller grants: driver 1.5 rotates all pods of a node one after another.
const LONGEST: Duration = Duration::from_secs(60);
/// Largest part of a caller's time that is left to the way back.
const MARGIN: Duration = Duration::from_secs(10);

/// Answers `request` by `grpc`: whatever happens inside, what leaves is one answer with a code that a driver takes for final.
pub(super) async fn answered<G: Grpc>(mut grpc: G, mut request: Request<Incoming>) -> Response<Body> {
    // Taken off, for tonic too would keep it, and answer Cancelled.
    let timeout = request.headers_mut().remove("grpc-timeout");
    let time = time_for(timeout.as_ref().and_then(|timeout| granted(timeout.to_str().ok()?)));
    request.extensions_mut().insert(Deadline::at(Instant::now() + time));
    // Between requests nothing is held inside that a panic could leave half done.
    match AssertUnwindSafe(grpc.call(request)).catch_unwind().await {
        Ok(Ok(response)) => cleared(response),
        Err(_) => Status::from(Failure::new(Reason::Bug, "the request ended in a panic")).into_http(),
    }
}

/// The time to answer in, of what the caller grants.
fn time_for(granted: Option<Duration>) -> Duration {
    granted.map_or(LONGEST, |granted| LONGEST.min(granted - MARGIN.min(granted / 3)))
}

/// Reads a `grpc-timeout`: up to eight digits and a unit (gRPC over HTTP/2, "Requests").
fn granted(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

fn cleared(mut response: Response<Body>) -> Response<Body> {
    clear(response.headers_mut());
    response.map(|body| Body::new(body.map_frame(cleared_frame)))
}

fn cleared_frame(frame: Frame<bytes::Bytes>) -> Frame<bytes::Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            clear(&mut trailers);
            Frame::trailers(trailers)
        }
        Err(frame) => frame,
    }
}

/// Gives a forbidden code the one that the driver takes for final; the message stays.
fn clear(headers: &mut HeaderMap) {
    let status = headers.get_mut(Status::GRPC_STATUS);
    if let Some(status) = status.filter(|status| FORBIDDEN.iter().any(|code| *status == code)) {
        *status = HeaderValue::from_static("9"); // FailedPrecondition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_gets_its_answer_before_its_patience_ends() {
        let seconds = |granted: Option<u64>| time_for(granted.map(Duration::from_secs)).as_secs();
        assert_eq!([None, Some(120), Some(70), Some(30), Some(3)].map(seconds), [60, 60, 60, 20, 2]);
    }

    #[test]
    fn timeouts_are_read_in_every_unit() {
        let read = |text| granted(text).map(|time| time.as_micros());
        assert_eq!(
            ["1H", "2M", "120S", "1000m", "7u", "3000n"].map(read),
            [3_600_000_000, 120_000_000, 120_000_000, 1_000_000, 7, 3].map(Some)
        );
        assert_eq!(["", "S", "1", "-1S", "1é", "999999999S", "1.5S"].map(read), [None; 7]);
    }
}
