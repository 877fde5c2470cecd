//! The end of the process: running mounts finish, and no socket without a server remains.

use std::time::Duration;

use tonic::Code;

use super::fake::{Server, Setup, answers, mount, until};

#[tokio::test]
async fn a_mount_in_flight_is_finished_after_the_signal_to_stop() {
    let server = Server::ready().await;
    let mut client = server.client().await;
    let open = tokio::spawn(async move { client.mount(mount("blocked")).await });
    server.fake.begun.acquire().await.unwrap().forget();
    server.begin_stop();
    until("the socket's name to be gone", || !server.path().exists()).await;
    assert!(server.readiness.check().unwrap_err().contains("stopping"));
    server.fake.blocked.add_permits(1);
    open.await.unwrap().unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_mount_that_does_not_end_is_answered_before_the_process_exits() {
    let mut setup = Setup::new();
    setup.sockets.shutdown_timeout = Duration::from_millis(400);
    let server = setup.start();
    until("the server to be ready", || server.readiness.check().is_ok()).await;
    let mut client = server.client().await;
    let open = tokio::spawn(async move { client.mount(mount("hang")).await });
    server.fake.begun.acquire().await.unwrap().forget();
    server.stop().await;
    let reply = tokio::time::timeout(Duration::from_secs(5), open).await.expect("the mount got no response");
    let status = reply.unwrap().err().unwrap();
    assert!(
        status.code() == Code::FailedPrecondition && status.message().starts_with("overload: "),
        "{status}"
    );
}

#[tokio::test]
async fn an_idle_connection_does_not_delay_the_shutdown() {
    let server = Server::ready().await;
    let mut client = server.client().await;
    client.mount(mount("ok")).await.unwrap();
    let path = server.path();
    let ended = tokio::time::timeout(Duration::from_secs(5), server.stop()).await;
    assert!(ended.is_ok() && !answers(&path));
}
