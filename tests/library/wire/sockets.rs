//! Modes of sockets, uids of peers, stale and replaced sockets.

use std::fs;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::server::{NotReadyReason, Readiness};
use nix::unistd::{Uid, setresuid};
use tokio::io::AsyncReadExt;

use super::fake::{Server, Setup, answers, client, endpoint, mount, until};

const NOBODY: u32 = 65534;

fn waits_for(readiness: &Readiness, reason: NotReadyReason) -> bool {
    readiness.check().is_err_and(|not_ready| not_ready.contains(&reason.to_string()))
}

#[tokio::test]
async fn a_socket_is_for_its_owner_alone_from_the_first_moment_that_it_can_be_seen() {
    let setup = Setup::new();
    let directory = setup.directory.path().to_owned();
    let ready = Arc::new(AtomicBool::new(false));
    let watching = Arc::clone(&ready);
    let seen = std::thread::spawn(move || {
        let mut modes = 0;
        while !watching.load(Ordering::Relaxed) {
            let entries = fs::read_dir(&directory).unwrap().filter_map(|entry| entry.ok()?.metadata().ok());
            modes |= entries.fold(0, |modes, entry| modes | entry.mode());
        }
        modes & 0o7777
    });
    let server = setup.start();
    until("the server to be ready", || server.readiness.check().is_ok()).await;
    assert_eq!(fs::metadata(server.path()).unwrap().mode() & 0o7777, 0o600);
    ready.store(true, Ordering::Relaxed);
    let modes = seen.join().unwrap();
    assert_eq!(modes & !0o600, 0, "{modes:o}");
}

#[tokio::test]
async fn a_socket_that_was_unlinked_is_back_within_a_second_and_open_calls_go_on() {
    let server = Server::ready().await;
    let mut before = server.client().await;
    let open = tokio::spawn(async move { before.mount(mount("blocked")).await });
    server.fake.begun.acquire().await.unwrap().forget();
    fs::remove_file(server.path()).unwrap();
    let gone = until("the socket to be back", || answers(&server.path())).await;
    assert!(gone < Duration::from_secs(5), "{gone:?}"); // a quarter of a second on an idle machine
    server.client().await.mount(mount("ok")).await.unwrap();
    server.fake.blocked.add_permits(1);
    open.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_socket_of_a_live_provider_is_never_replaced_and_that_of_a_dead_one_is() {
    let setup = Setup::new();
    let path = setup.directory.path().join("vault.sock");
    let foreign = UnixListener::bind(&path).unwrap();
    let theirs = fs::metadata(&path).unwrap().ino();
    let server = setup.start();
    until("the server to see the other", || waits_for(&server.readiness, NotReadyReason::Taken)).await;
    assert_eq!(
        server.readiness.check().unwrap_err(),
        "vault.sock: another process listens there; stop that provider"
    );
    assert_eq!(fs::metadata(&path).unwrap().ino(), theirs);
    drop(foreign); // killed: the file stays
    until("the server to take over", || server.readiness.check().is_ok()).await;
    server.client().await.mount(mount("ok")).await.unwrap();
}

#[tokio::test]
async fn a_socket_that_another_process_replaced_stays_at_shutdown() {
    let server = Server::ready().await;
    let path = server.path();
    let new = path.with_file_name("new.sock");
    let successor = UnixListener::bind(&new).unwrap();
    fs::rename(&new, &path).unwrap();
    until("the server to see its successor", || waits_for(&server.readiness, NotReadyReason::Taken)).await;
    let _directory = server.stop().await;
    assert!(answers(&path));
    drop(successor);
}

#[tokio::test]
async fn a_dead_socket_where_the_driver_searches_first_is_removed_and_a_live_one_reported() {
    let mut setup = Setup::new();
    let first = tempfile::tempdir().unwrap();
    let (shadow, other) = (first.path().join("vault.sock"), first.path().join("other.sock"));
    for path in [&shadow, &other] {
        drop(UnixListener::bind(path).unwrap());
    }
    setup.sockets.shadow_directories = vec![first.path().into(), "/nowhere".into()];
    let server = setup.start();
    until("the server to be ready", || server.readiness.check().is_ok()).await;
    assert!(!shadow.exists() && other.exists());
    let live = UnixListener::bind(&shadow).unwrap();
    until("the shadow to be seen", || waits_for(&server.readiness, NotReadyReason::Shadowed)).await;
    server.client().await.mount(mount("ok")).await.unwrap();
    drop(live);
    until("the shadow to be cleared", || server.readiness.check().is_ok() && !shadow.exists()).await;
}

#[tokio::test]
async fn each_socket_is_served_and_a_missing_directory_fails_the_start_without_leftovers() {
    let mut setup = Setup::new();
    let second = setup.directory.path().join("openbao.sock");
    setup.sockets.endpoints.push(endpoint(&second));
    let server = setup.start();
    until("the server to be ready", || server.readiness.check().is_ok()).await;
    client(&second).await.mount(mount("ok")).await.unwrap();
    server.client().await.mount(mount("ok")).await.unwrap();

    let mut setup = Setup::new();
    setup.sockets.endpoints.push(endpoint(Path::new("/nowhere/openbao.sock")));
    let service = tower::service_fn(|_| async { Ok(http::Response::new(tonic::body::Body::empty())) });
    let failed =
        crate::server::serve(setup.sockets, |_| service, Readiness::default(), std::future::pending()).await;
    assert_eq!(
        failed.unwrap_err().to_string(),
        "socket /nowhere/openbao.sock: its directory is missing; mount it"
    );
    assert_eq!(fs::read_dir(setup.directory.path()).unwrap().count(), 0);
}

/// Needs root.
#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_refused_even_where_the_mode_would_allow_it() {
    let server = Server::ready().await;
    let path = server.path();
    assert_eq!(connected_as_nobody(&path), Connected::No, "the mode let him in");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(connected_as_nobody(&path), Connected::Unanswered);

    let mut setup = Setup::new();
    setup.sockets.allow_peer_uids = vec![NOBODY];
    let server = setup.start();
    until("the server to be ready", || server.readiness.check().is_ok()).await;
    fs::set_permissions(server.path(), fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(connected_as_nobody(&server.path()), Connected::Answered, "the listed user was not answered");
}

/// Result of a connection of another user.
#[derive(Debug, PartialEq, Eq)]
enum Connected {
    No,
    Unanswered,
    Answered,
}

/// Environment variable with the socket that the process of the test below connects to.
const SOCKET: &str = "VAULTMOUNT_NOBODY_SOCKET";

/// Connects in another process, because all threads of a process have the same user.
fn connected_as_nobody(path: &Path) -> Connected {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test = ["--exact", "library::wire::sockets::a_process_of_another_user_connects"];
    match command.args(test).env(SOCKET, path).stdout(Stdio::null()).status().unwrap().code() {
        Some(10) => Connected::No,
        Some(11) => Connected::Unanswered,
        Some(12) => Connected::Answered,
        code => panic!("the process of the other user ended with {code:?}"),
    }
}

#[test]
fn a_process_of_another_user_connects() {
    let Some(path) = std::env::var_os(SOCKET) else { return };
    let nobody = Uid::from_raw(NOBODY);
    setresuid(nobody, nobody, nobody).expect("this test needs root");
    let code = match UnixStream::connect(path) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            10
        }
        Ok(mut stream) => 11 + i32::try_from(stream.read(&mut [0; 1]).unwrap()).unwrap(),
    };
    std::process::exit(code);
}

#[tokio::test]
async fn connections_beyond_the_limit_of_their_origin_are_closed() {
    // This process is the server itself, so its limit is that of the readiness check.
    let server = Server::ready().await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = tokio::net::UnixStream::connect(server.path()).await.unwrap();
        stream.read_exact(&mut [0; 1]).await.unwrap(); // the server's SETTINGS: the connection was accepted
        held.push(stream);
    }
    let mut stream = tokio::net::UnixStream::connect(server.path()).await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    held.pop();
    let begun = Instant::now();
    while !is_served(&server.path()).await {
        assert!(begun.elapsed() < Duration::from_secs(5), "the free connection is not used");
    }
}

async fn is_served(path: &Path) -> bool {
    let mut stream = tokio::net::UnixStream::connect(path).await.unwrap();
    matches!(stream.read(&mut [0; 1]).await, Ok(1))
}
