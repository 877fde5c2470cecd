//! Raw HTTP/2 as drivers up to 1.5.6 send it: the socket's path is the `:authority`, which no Rust client sends.

use std::path::Path;

use loona_hpack::{Decoder, Encoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::fake::Server;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

struct Connection {
    stream: UnixStream,
    encoder: Encoder<'static>,
    decoder: Decoder<'static>,
}

impl Connection {
    async fn open(path: &Path) -> Self {
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut connection = Self { stream, encoder: Encoder::new(), decoder: Decoder::new() };
        connection.send(SETTINGS, 0, 0, &[]).await;
        connection
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.stream.write_all(&[&head, payload].concat()).await.unwrap();
    }

    async fn receive(&mut self) -> (u8, u32, Vec<u8>) {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).await.unwrap();
        (head[3], u32::from_be_bytes(head[5..9].try_into().unwrap()), payload)
    }

    /// Calls Version; returns the grpc-status.
    async fn version(&mut self, stream: u32, authority: &str) -> String {
        let headers = [
            (&b":method"[..], &b"POST"[..]),
            (b":scheme", b"http"),
            (b":path", b"/v1alpha1.CSIDriverProvider/Version"),
            (b":authority", authority.as_bytes()),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        ];
        let block = self.encoder.encode(headers);
        self.send(HEADERS, END_HEADERS, stream, &block).await;
        self.send(DATA, END_STREAM, stream, &[0; 5]).await;
        loop {
            let (kind, of, payload) = self.receive().await;
            assert!(kind != 3 && kind != 7, "reset or GOAWAY: {payload:?}");
            let headers = if kind == HEADERS { self.decoder.decode(&payload).unwrap() } else { Vec::new() };
            if let Some((_, code)) =
                headers.into_iter().find(|(name, _)| of == stream && name == b"grpc-status")
            {
                return String::from_utf8(code).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_driver_that_sends_its_path_as_authority_is_answered_call_after_call() {
    let server = Server::ready().await;
    let mut driver = Connection::open(&server.path()).await;
    for stream in [1, 3, 5] {
        assert_eq!(driver.version(stream, "/var/run/secrets-store-csi-providers/vault.sock").await, "0");
    }
    assert_eq!(driver.version(7, "localhost").await, "0");
    assert_eq!(driver.version(9, "%2Fvar%2Frun%2Fvault.sock").await, "0");
}

#[tokio::test]
async fn a_connection_that_is_not_http_2_is_closed_without_effect_on_others() {
    let server = Server::ready().await;
    let mut driver = Connection::open(&server.path()).await;
    for nonsense in [&b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"[..], &[0xff; 64]] {
        let mut stream = UnixStream::connect(server.path()).await.unwrap();
        stream.write_all(nonsense).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await; // the connection ends; the bytes do not matter
    }
    let mut broken = Connection::open(&server.path()).await;
    broken.send(HEADERS, END_HEADERS, 1, &[0xff; 32]).await;
    let mut rest = Vec::new();
    let _ = broken.stream.read_to_end(&mut rest).await;
    assert_eq!(driver.version(1, "/a.sock").await, "0");
}
