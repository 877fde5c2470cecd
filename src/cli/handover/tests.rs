use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::mutex::Mutex;
use crate::spec::TlsSpec;
use crate::state::RecordId;

const MATERIAL: &str = "kB2v9cQ1x7ZrT0mYwE5uJ8hLfN3dSaPg";

/// A server that revokes every token except `refused`, and the tokens that it was sent.
async fn server(refused: &'static str) -> (ServerSpec, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let revoked = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            let request = String::from_utf8(request).unwrap();
            assert!(request.starts_with("POST /v1/auth/token/revoke-self "), "{request}");
            let token = request.lines().find_map(|line| line.strip_prefix("x-vault-token: ")).unwrap();
            revoked.lock().push(token.to_owned());
            let status = if token == refused { "403 Forbidden" } else { "204 No Content" };
            let length = if token == refused { "content-length: 0\r\n" } else { "" };
            let _ = stream
                .write_all(format!("HTTP/1.1 {status}\r\n{length}connection: close\r\n\r\n").as_bytes())
                .await;
        }
    });
    (ServerSpec { address, configured: true, namespace: None, tls: TlsSpec::default() }, seen)
}

/// The state of a node, and the file of its key.
struct Node {
    directory: TempDir,
}

impl Node {
    fn new() -> Self {
        let directory = TempDir::new_in("/dev/shm").unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(directory.path().join("key"), MATERIAL).unwrap();
        Self { directory }
    }

    async fn store(&self) -> Store {
        let key = StateKey::try_from(Secret::from(MATERIAL)).unwrap();
        Store::open(self.directory.path(), key, "node-1", Duration::ZERO).await.unwrap()
    }

    /// The state of a node with one record for each token, and one for a volume.
    async fn with(server: &ServerSpec, tokens: &[&str]) -> Self {
        let (node, body) = (Self::new(), Secret::from("{}"));
        let store = node.store().await;
        for token in tokens {
            let outer = Outer {
                kind: Kind::VaultToken,
                server: Some(server.clone()),
                accessor: Some(format!("accessor of {token}")),
                leases: Vec::new(),
                token: Some(Secret::from(*token)),
            };
            store.put(&RecordId::of(&[token]), &outer, &body).unwrap();
        }
        let volume =
            Outer { kind: Kind::Volume, server: None, accessor: None, leases: Vec::new(), token: None };
        store.put(&RecordId::of(&["volume"]), &volume, &body).unwrap();
        node
    }

    fn args(&self, revoke: bool) -> HandoverArgs {
        HandoverArgs {
            keep: !revoke,
            revoke,
            state_dir: self.directory.path().into(),
            state_key_file: revoke.then(|| self.directory.path().join("key")),
            hmac_key_file: None,
            node_name: Some("node-1".into()),
            allow_address: Vec::new(),
        }
    }

    async fn handover(&self, revoke: bool) -> Result<(), HandoverError> {
        handover(&self.args(revoke), &Environment::default()).await
    }

    async fn left(&self) -> Vec<RecordId> {
        self.store().await.records().unwrap().map(|found| found.id().clone()).collect()
    }
}

#[tokio::test]
async fn with_keep_all_records_are_removed_and_no_server_is_called() {
    let (server, revoked) = server("none").await;
    let node = Node::with(&server, &["a", "b"]).await;
    fs::write(node.directory.path().join(RecordId::of(&["damaged"]).as_str()), "x").unwrap();
    node.handover(false).await.unwrap();
    assert!(node.left().await.is_empty() && revoked.lock().is_empty());
}

#[tokio::test]
async fn with_revoke_each_token_is_revoked_once() {
    let (server, revoked) = server("none").await;
    let tokens = ["a", "b", "c", "d", "e", "f"];
    let node = Node::with(&server, &tokens).await;
    let begun = std::time::Instant::now();
    node.handover(true).await.unwrap();
    assert!(begun.elapsed() >= INTERVAL * 5, "the revocations were not spread");
    let mut revoked = revoked.lock().clone();
    revoked.sort();
    assert_eq!(revoked, tokens);
    assert!(node.left().await.is_empty());
}

#[tokio::test]
async fn a_record_whose_token_is_not_revoked_remains_and_the_command_fails() {
    let (server, revoked) = server("refused").await;
    let node = Node::with(&server, &["a", "refused"]).await;
    fs::write(node.directory.path().join(RecordId::of(&["damaged"]).as_str()), "x").unwrap();
    assert!(matches!(node.handover(true).await, Err(HandoverError::Remaining(2))));
    let mut left = [RecordId::of(&["refused"]), RecordId::of(&["damaged"])];
    left.sort();
    assert_eq!(node.left().await, left);
    assert!(revoked.lock().contains(&"a".to_owned()));
}

#[tokio::test]
async fn with_a_wrong_key_no_server_is_called_and_the_accessors_are_reported() {
    let (server, revoked) = server("none").await;
    let node = Node::with(&server, &["a"]).await;
    fs::write(node.directory.path().join("key"), MATERIAL.to_ascii_lowercase()).unwrap();
    let store = {
        let key = StateKey::read(&node.directory.path().join("key")).unwrap();
        Store::open(node.directory.path(), key, "node-1", Duration::ZERO).await.unwrap()
    };
    let lines: Vec<_> =
        store.records().unwrap().map(|found| remains(&found, "its token is not known")).collect();
    assert!(
        lines.iter().any(|line| line.contains("accessor of a") && line.contains("127.0.0.1")),
        "{lines:?}"
    );
    drop(store);
    assert!(matches!(node.handover(true).await, Err(HandoverError::Remaining(1))));
    assert!(revoked.lock().is_empty());
}

#[tokio::test]
async fn while_a_vaultmount_runs_no_record_is_changed() {
    let (server, _) = server("none").await;
    let node = Node::with(&server, &["a"]).await;
    let running = node.store().await;
    for revoke in [false, true] {
        let error = node.handover(revoke).await.unwrap_err();
        assert!(error.to_string().contains("another vaultmount uses it; stop that one first"), "{error}");
    }
    drop(running);
    assert_eq!(node.left().await.len(), 2);
}

#[tokio::test]
async fn a_wrong_directory_is_not_created() {
    let node = Node::new();
    let args = HandoverArgs { state_dir: node.directory.path().join("typo"), ..node.args(false) };
    assert!(matches!(handover(&args, &Environment::default()).await, Err(HandoverError::State(_))));
    assert!(!args.state_dir.exists());
}
