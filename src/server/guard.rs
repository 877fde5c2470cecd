//! Checks every response: no status code that starts a pod on an empty volume, and no text of a panic.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use hyper::body::Frame;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::time::Instant;
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tracing::{error, warn};

use super::timeout;
use crate::error::{Failure, Reason};

/// A gRPC service as tonic generates it, without the bounds that hyper does not need.
pub(crate) trait Grpc:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Grpc for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Cancelled, DeadlineExceeded, ResourceExhausted, Aborted, Unavailable: the kubelet treats any other code as final.
const NEVER_SENT: [&[u8]; 5] = [b"1", b"4", b"8", b"10", b"14"];
/// FailedPrecondition, which is sent instead.
const INSTEAD: HeaderValue = HeaderValue::from_static("9");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// A service whose responses are checked.
#[derive(Clone)]
pub(crate) struct Guard<S> {
    inner: S,
    fail_open_requests: CancellationToken,
}

impl<S: Grpc> Guard<S> {
    /// Guards `inner`; once `fail_open_requests` is cancelled, every request that is still open is answered with a failure.
    pub(crate) fn new(inner: S, fail_open_requests: CancellationToken) -> Self {
        Self { inner, fail_open_requests }
    }

    /// Responds to one request. Call it when the request arrives: its deadline counts from then.
    pub(crate) async fn answer<B>(self, request: Request<B>) -> Result<Response<Checked>, Infallible>
    where
        B: hyper::body::Body<Data = Bytes, Error: Into<tonic::codegen::StdError>> + Send + 'static,
    {
        let mut request = request.map(Body::new);
        timeout::extract(&mut request, Instant::now());
        let inner = AssertUnwindSafe(TowerToHyperService::new(self.inner).call(request)).catch_unwind();
        let response = tokio::select! {
            biased;
            outcome = inner => outcome.unwrap_or_else(|_| Ok(panicked().into_http())).unwrap_or_else(|never| match never {}),
            () = self.fail_open_requests.cancelled() => stopping().into_http(),
        };
        Ok(checked(response))
    }
}

/// The body of a checked response: its trailers hold no code of [`NEVER_SENT`], and it always ends with trailers.
pub(crate) struct Checked(Option<Body>);

impl hyper::body::Body for Checked {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        let failed = match catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(None)) => return Poll::Ready(None),
            Ok(Poll::Ready(Some(Ok(mut frame)))) => {
                frame.trailers_mut().into_iter().for_each(check);
                return Poll::Ready(Some(Ok(frame)));
            }
            Ok(Poll::Ready(Some(Err(status)))) => status,
            Err(_) => panicked(),
        };
        // Returning an error would reset the stream, which the driver reads as Cancelled.
        self.0 = None;
        let mut trailers = failed.into_http::<Body>().into_parts().0.headers;
        check(&mut trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.0.as_ref().map_or_else(hyper::body::SizeHint::default, Body::size_hint)
    }
}

fn checked(response: Response<Body>) -> Response<Checked> {
    let (mut head, body) = response.into_parts();
    check(&mut head.headers);
    Response::from_parts(head, Checked(Some(body)))
}

fn check(headers: &mut HeaderMap) {
    let Some(code) = headers.get(GRPC_STATUS) else { return };
    if NEVER_SENT.contains(&code.as_bytes()) {
        warn!(
            code = code.to_str().unwrap_or_default(),
            "a status code that starts pods on empty volumes was replaced by FailedPrecondition"
        );
        headers.insert(GRPC_STATUS, INSTEAD);
    }
}

/// Does not contain the panic's text, which may hold the value of a secret.
fn panicked() -> Status {
    error!("bug: a request ended in a panic");
    Failure::new(Reason::Bug, "the request ended in a panic").into()
}

fn stopping() -> Status {
    Failure::new(Reason::Overload, "this provider was stopped before the mount was finished").into()
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full, StreamBody};
    use tower::service_fn;

    use super::*;

    /// The grpc-status of a response, from its head or its trailers.
    async fn status(inner: impl Grpc) -> (String, String) {
        let request = Request::new(Full::new(Bytes::new()));
        let (head, body) =
            Guard::new(inner, CancellationToken::new()).answer(request).await.unwrap().into_parts();
        let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
        let text = |name| {
            head.headers
                .get(name)
                .or(trailers.get(name))
                .map_or("", |value: &HeaderValue| value.to_str().unwrap())
        };
        (text("grpc-status").into(), text("grpc-message").into())
    }

    fn trailers(code: &str) -> HeaderMap {
        [("grpc-status", code), ("grpc-message", "why")]
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .into_iter()
            .collect()
    }

    #[tokio::test]
    async fn no_code_that_starts_a_pod_on_an_empty_volume_is_sent_in_head_or_trailers() {
        for code in 0..=16 {
            let sent = if [1, 4, 8, 10, 14].contains(&code) { 9 } else { code };
            let code = code.to_string();
            let in_trailers = code.clone();
            let head = service_fn(move |_| {
                let mut response = Response::new(Body::empty());
                *response.headers_mut() = trailers(&code);
                async { Ok(response) }
            });
            let tail = service_fn(move |_| {
                let frames = [
                    Ok::<_, Status>(Frame::data(Bytes::from("x"))),
                    Ok(Frame::trailers(trailers(&in_trailers))),
                ];
                async { Ok(Response::new(Body::new(StreamBody::new(futures::stream::iter(frames))))) }
            });
            let expected = (sent.to_string(), "why".to_owned());
            assert_eq!((status(head).await, status(tail).await), (expected.clone(), expected));
        }
    }

    #[tokio::test]
    async fn a_broken_body_ends_in_trailers_and_not_in_a_reset() {
        let broken = |fail: fn() -> Status| {
            service_fn(move |_| {
                let frames = futures::stream::once(async move { Err::<Frame<Bytes>, _>(fail()) });
                async { Ok(Response::new(Body::new(StreamBody::new(frames)))) }
            })
        };
        assert_eq!(status(broken(|| Status::aborted("why"))).await, ("9".into(), "why".into()));
        let (code, message) = status(broken(|| panic!("canary"))).await;
        assert!(code == "13" && message.starts_with("bug:") && !message.contains("canary"), "{message}");
    }

    #[tokio::test]
    async fn a_request_that_is_open_at_the_end_of_the_drain_is_answered() {
        let fail_open_requests = CancellationToken::new();
        fail_open_requests.cancel();
        let guard = Guard::new(
            service_fn(|_| futures::future::pending::<Result<Response<Body>, Infallible>>()),
            fail_open_requests,
        );
        let response = guard.answer(Request::new(Full::new(Bytes::new()))).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "9");
        assert!(response.headers()["grpc-message"].to_str().unwrap().starts_with("overload:"));
    }
}
