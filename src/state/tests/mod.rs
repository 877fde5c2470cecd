mod records; // one file: its parts, its versions, its damages

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;
use crate::spec::{ServerSpec, TlsSpec};

const MATERIAL: &str = "kB2v9cQ1x7ZrT0mYwE5uJ8hLfN3dSaPg";

fn key(material: &str) -> StateKey {
    StateKey::try_from(Secret::from(material)).unwrap()
}

fn seal(material: &str, node: &str) -> Seal {
    key(material).seal(node).unwrap()
}

/// A directory in memory, as `/run` is on a node.
fn memory() -> TempDir {
    let directory = TempDir::new_in("/dev/shm").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
    directory
}

async fn open(directory: &TempDir) -> Store {
    Store::open(directory.path(), key(MATERIAL), "node-1", Duration::ZERO).await.unwrap()
}

async fn refusal(path: &Path) -> StateError {
    match Store::open(path, key(MATERIAL), "node-1", Duration::ZERO).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

fn session() -> Outer {
    let tls = TlsSpec { ca_file: Some("/ca/ca.crt".into()), ..TlsSpec::default() };
    let address = "https://vault:8200".parse().unwrap();
    let server = ServerSpec { address, configured: true, namespace: Some("team-a".into()), tls };
    Outer {
        kind: Kind::VaultToken,
        server: Some(server),
        accessor: Some("accessor-1".into()),
        leases: vec!["database/creds/app/1".into()],
        token: Some(Secret::from("canary-token")),
    }
}

fn volume() -> Outer {
    Outer { kind: Kind::Volume, server: None, accessor: None, leases: Vec::new(), token: None }
}

fn body() -> Secret {
    Secret::from("canary-body")
}

fn id(name: &str) -> RecordId {
    RecordId::of(&[name])
}

fn found(store: &Store) -> Vec<StoredRecord> {
    store.records().unwrap().collect()
}

fn record(found: StoredRecord) -> Record {
    match found {
        StoredRecord::Record(record) => record,
        StoredRecord::Unusable(unusable) => panic!("{:?}", unusable.why),
    }
}

fn unusable(found: StoredRecord) -> Unusable {
    match found {
        StoredRecord::Record(_) => panic!("it is usable"),
        StoredRecord::Unusable(unusable) => unusable,
    }
}

#[tokio::test]
async fn the_next_process_reads_what_was_stored() {
    let directory = memory();
    let store = open(&directory).await;
    store.put(&id("a"), &session(), &Secret::from("the first body")).unwrap();
    store.put(&id("a"), &session(), &body()).unwrap();
    store.put(&id("b"), &volume(), &body()).unwrap();
    store.put(&id("c"), &volume(), &body()).unwrap();
    store.remove(&id("c")).unwrap();
    store.remove(&id("c")).unwrap();
    drop(store);
    let mut records: Vec<_> = found(&open(&directory).await).into_iter().map(record).collect();
    records.sort_by_key(|record| record.id != id("a"));
    let [session, volume] = records.try_into().unwrap();
    assert_eq!((session.id, session.body.expose()), (id("a"), &b"canary-body"[..]));
    assert_eq!(
        (session.outer.kind, session.outer.server),
        (Kind::VaultToken, crate::state::tests::session().server)
    );
    assert_eq!(
        (session.outer.accessor, session.outer.leases),
        (Some("accessor-1".into()), vec!["database/creds/app/1".into()])
    );
    assert_eq!(session.outer.token.unwrap().expose(), b"canary-token");
    assert_eq!((volume.id, volume.outer.kind, volume.outer.token.is_none()), (id("b"), Kind::Volume, true));
}

#[tokio::test]
async fn a_file_reveals_neither_token_nor_body_and_has_mode_0600() {
    let directory = memory();
    let store = open(&directory).await;
    store.put(&id("a"), &session(), &body()).unwrap();
    let path = directory.path().join(id("a").as_str());
    let file = fs::read(&path).unwrap();
    for plain in ["canary-token", "canary-body", "Y2FuYXJ5", "63616e617279"] {
        assert!(!file.windows(plain.len()).any(|window| window == plain.as_bytes()), "{plain}");
    }
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    store.put(&id("a"), &session(), &body()).unwrap();
    assert_ne!(fs::read(&path).unwrap(), file, "a nonce was used twice");
}

#[tokio::test]
async fn a_crash_while_writing_leaves_the_old_record_and_no_temporary_file() {
    let directory = memory();
    let store = open(&directory).await;
    store.put(&id("a"), &session(), &body()).unwrap();
    let unfinished = directory.path().join(format!("{}.7.new", id("a")));
    fs::write(&unfinished, r#"{"vaultmount": 1, "kind": "ses"#).unwrap();
    drop(store);
    let store = open(&directory).await;
    assert!(!unfinished.exists());
    assert_eq!(found(&store).into_iter().map(record).count(), 1);
}

#[tokio::test]
async fn a_damaged_file_is_reported_and_the_others_are_read() {
    let directory = memory();
    let store = open(&directory).await;
    store.put(&id("a"), &session(), &body()).unwrap();
    let whole = fs::read(directory.path().join(id("a").as_str())).unwrap();
    let names = ["cut", "empty", "large", "pipe", "link"]
        .map(|name| (name, directory.path().join(id(name).as_str())));
    let [(_, cut), (_, empty), (_, large), (_, pipe), (_, link)] = &names;
    fs::write(cut, &whole[..whole.len() / 2]).unwrap();
    fs::write(empty, "").unwrap();
    fs::write(large, " ".repeat(1024 * 1024 + 1)).unwrap();
    nix::unistd::mkfifo(pipe, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
    symlink(directory.path().join(id("a").as_str()), link).unwrap();
    let (usable, damaged): (Vec<_>, Vec<_>) =
        found(&store).into_iter().partition(|found| matches!(found, StoredRecord::Record(_)));
    assert_eq!((usable.len(), damaged.len()), (1, names.len()));
    for unusable in damaged.into_iter().map(unusable) {
        let name = names.iter().find(|(name, _)| id(name) == unusable.id).unwrap().0;
        let expected = match name {
            "cut" | "empty" => matches!(unusable.why, Why::NoRecord { .. }),
            "large" => unusable.why == Why::TooLarge,
            _ => unusable.why == Why::NotAFile,
        };
        assert!(expected, "{name}: {}", unusable.why);
        store.remove(&unusable.id).unwrap();
    }
    assert_eq!(found(&store).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_next_process_waits_for_the_lock() {
    let directory = memory();
    let first = open(&directory).await;
    let path = directory.path().to_owned();
    let second = tokio::spawn(async move {
        Store::open(&path, key(MATERIAL), "node-1", Duration::from_secs(30)).await.map(drop)
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!second.is_finished(), "two processes hold the state");
    drop(first);
    second.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_not_released_is_an_error() {
    let directory = memory();
    let _first = open(&directory).await;
    let second = Store::open(directory.path(), key(MATERIAL), "node-1", Duration::from_secs(30)).await;
    assert!(matches!(second, Err(StateError::Locked(_))));
}

#[tokio::test]
async fn only_an_own_directory_in_memory_is_used() {
    let directory = memory();
    let made = directory.path().join("made");
    Store::open(&made, key(MATERIAL), "node-1", Duration::ZERO).await.unwrap();
    assert_eq!(made.metadata().unwrap().mode() & 0o7777, 0o700);
    fs::set_permissions(&made, fs::Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(refusal(&made).await, StateError::NotOurs { mode: 0o750, .. }));
    fs::set_permissions(&made, fs::Permissions::from_mode(0o700)).unwrap();
    let link = directory.path().join("link");
    symlink(&made, &link).unwrap();
    assert!(matches!(refusal(&link).await, StateError::System { doing: "opening it", .. }));
    assert!(matches!(
        refusal(Path::new("/proc/self")).await,
        StateError::System { .. } | StateError::NotInMemory(_)
    ));
    assert!(matches!(refusal(Path::new("/proc")).await, StateError::NotInMemory(_)));
    assert!(matches!(
        refusal(&directory.path().join("no/parent")).await,
        StateError::System { doing: "creating it", .. }
    ));
}

#[tokio::test]
async fn a_lock_that_is_a_link_is_not_followed() {
    let directory = memory();
    symlink("/dev/null", directory.path().join("lock")).unwrap();
    assert!(matches!(refusal(directory.path()).await, StateError::System { doing: "locking it", .. }));
}

#[tokio::test]
async fn a_record_that_is_too_large_to_be_read_is_not_written() {
    let directory = memory();
    let store = open(&directory).await;
    let error = store.put(&id("a"), &session(), &Secret::from(vec![0; 1024 * 1024])).unwrap_err();
    assert!(matches!(error, StateError::TooLarge { .. }), "{error}");
    assert!(found(&store).is_empty());
}
