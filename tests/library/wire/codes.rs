//! No response starts a pod on an empty volume, and a panic affects only its own request.

use std::time::Duration;

use http::{HeaderMap, Request as HttpRequest};
use tokio::net::UnixStream;
use tokio_util::bytes::Bytes;
use tonic::{Code, Request};

use super::fake::{Server, mount};

const MOUNT: &str = "/v1alpha1.CSIDriverProvider/Mount";

#[tokio::test]
async fn a_forbidden_code_of_the_service_becomes_failed_precondition_with_the_same_text() {
    let server = Server::ready().await;
    let mut client = server.client().await;
    for code in [1, 4, 8, 10, 14] {
        let status = client.mount(mount(&format!("code:{code}"))).await.err().unwrap();
        assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "kept words"), "{code}");
    }
    assert_eq!(client.mount(mount("code:7")).await.err().unwrap().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_panic_fails_only_its_own_mount_and_shows_no_detail() {
    let server = Server::ready().await;
    let mut client = server.client().await;
    let status = client.mount(mount("panic")).await.err().unwrap();
    assert!(status.code() == Code::Internal && status.message().starts_with("bug: "), "{status}");
    assert!(!format!("{status:?}").contains("canary"), "{status:?}");
    client.mount(mount("ok")).await.unwrap();
}

#[tokio::test]
async fn the_service_gets_the_deadline_of_its_response() {
    let server = Server::ready().await;
    let mut client = server.client().await;
    for (timeout, due) in [(Some(120), 60_000), (Some(30), 20_000), (None, 60_000)] {
        let mut request = Request::new(mount("deadline"));
        timeout.into_iter().for_each(|seconds| request.set_timeout(Duration::from_secs(seconds)));
        let reply = client.mount(request).await.unwrap().into_inner().object_version[0]
            .version
            .parse::<u64>()
            .unwrap();
        assert!(reply <= due && reply > due - 5_000, "{timeout:?} gives {reply} ms");
    }
}

#[tokio::test]
async fn an_answer_at_the_last_moment_still_arrives_before_a_short_deadline() {
    let server = Server::ready().await;
    let mut request = Request::new(mount("late"));
    request.set_timeout(Duration::from_secs(15)); // the response is due after 10 s
    let status = server.client().await.mount(request).await.err().unwrap();
    assert_eq!(
        (status.code(), status.message()),
        (Code::FailedPrecondition, "deadline: the mount did not end in time")
    );
}

#[tokio::test]
async fn a_request_over_4_mib_is_refused_with_a_final_code() {
    let server = Server::ready().await;
    let mut client = server.client().await;
    let status = client.mount(mount(&"x".repeat(5 << 20))).await.err().unwrap();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    client.mount(mount("ok")).await.unwrap();
}

/// Requests that no gRPC library sends get a code that is final for the kubelet, and the server keeps running.
#[tokio::test]
async fn odd_requests_get_final_codes() {
    let server = Server::ready().await;
    let huge = [&[0, 0xff, 0xff, 0xff, 0xff][..], &[0; 100]].concat();
    let cases: [(&str, &str, &[u8], u8); 8] = [
        ("compressed frame, no encoding named", MOUNT, &[1, 0, 0, 0, 1, 0], 13),
        ("compressed frame, gzip named", MOUNT, &[1, 0, 0, 0, 1, 0], 12),
        ("unknown method", "/v1alpha1.CSIDriverProvider/Unmount", &[0, 0, 0, 0, 0], 12),
        ("unknown service", "/grpc.health.v1.Health/Check", &[0, 0, 0, 0, 0], 12),
        ("no message", MOUNT, &[], 13),
        ("half a message", MOUNT, &[0, 0, 0, 0, 9, 1], 13),
        ("no protobuf", MOUNT, &[0, 0, 0, 0, 2, 0xff, 0xff], 13),
        ("a length of 4 GiB", MOUNT, &huge, 11),
    ];
    for (what, path, body, code) in cases {
        let encoding = if what.contains("gzip") { "gzip" } else { "identity" };
        let answer = call(&server, path, encoding, body).await;
        assert_eq!(answer["grpc-status"], code.to_string(), "{what}: {answer:?}");
    }
    server.client().await.mount(mount("ok")).await.unwrap();
}

/// Headers and trailers of the response to a request without a gRPC library.
async fn call(server: &Server, path: &str, encoding: &str, body: &[u8]) -> HeaderMap {
    let stream = UnixStream::connect(server.path()).await.unwrap();
    let (mut requests, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = HttpRequest::post(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-encoding", encoding)
        .body(())
        .unwrap();
    let (response, mut send) = requests.send_request(request, false).unwrap();
    send.send_data(Bytes::copy_from_slice(body), true).unwrap();
    let (head, mut body) = response.await.unwrap().into_parts();
    let mut all = head.headers;
    while let Some(data) = body.data().await {
        data.unwrap();
    }
    all.extend(body.trailers().await.unwrap().unwrap_or_default());
    connection.abort();
    all
}
