use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;

use tempfile::TempDir;

use super::*;

fn access(owner: u32, group: u32, mode: u32) -> Access {
    Access { owner, group, mode }
}

#[test]
fn no_other_user_loses_a_permission() {
    let table = [
        (access(0, 0, 0o755), Ok(access(0, 65532, 0o775))), // as the kubelet creates it
        (access(0, 65532, 0o775), Ok(access(0, 65532, 0o775))), // the second time
        (access(65532, 65532, 0o755), Ok(access(65532, 65532, 0o775))), // the image of an upstream provider that runs as 65532
        (access(1000, 1000, 0o755), Ok(access(1000, 65532, 0o775))),    // a provider with an owner of its own
        (access(0, 1000, 0o775), Err(1000)),                            // a provider that writes by its group
        (access(0, 0, 0o1777), Ok(access(0, 65532, 0o1777))),
    ];
    for (found, expected) in table {
        assert_eq!(wanted(found, 65532), expected, "{found:?}");
    }
}

fn args(directory: PathBuf) -> PrepareArgs {
    let socket_names = vec!["vault.sock".into(), "live.sock".into()];
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    PrepareArgs { socket_dirs: vec![directory], state_dir: None, uid, gid, socket_names }
}

#[test]
fn only_the_user_may_read_the_state_directory_and_a_second_run_changes_nothing() {
    let parent = TempDir::new().unwrap();
    let state = parent.path().join("state");
    let args = PrepareArgs { state_dir: Some(state.clone()), ..args(parent.path().join("providers")) };
    prepare(&args).unwrap();
    let first = state.metadata().unwrap();
    assert_eq!((first.mode() & 0o7777, first.uid()), (0o700, args.uid));
    prepare(&args).unwrap();
    let second = state.metadata().unwrap();
    assert_eq!((first.ctime(), first.ctime_nsec()), (second.ctime(), second.ctime_nsec()));
}

#[test]
fn a_missing_directory_is_created_and_a_second_run_changes_nothing() {
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("providers");
    prepare(&args(directory.clone())).unwrap();
    let first = directory.metadata().unwrap();
    assert_eq!(first.mode() & 0o7777, 0o775);
    prepare(&args(directory.clone())).unwrap();
    let second = directory.metadata().unwrap();
    assert_eq!((first.ctime(), first.ctime_nsec()), (second.ctime(), second.ctime_nsec()));
}

#[test]
fn dead_sockets_of_our_names_are_removed_and_all_others_stay() {
    let directory = TempDir::new().unwrap();
    let socket = |name: &str| UnixListener::bind(directory.path().join(name)).unwrap();
    drop([socket("vault.sock"), socket("other.sock")]);
    let _live = socket("live.sock");
    prepare(&args(directory.path().into())).unwrap();
    let mut left: Vec<_> =
        directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["live.sock", "other.sock"]);
}

#[test]
fn a_link_is_not_followed() {
    let parent = TempDir::new().unwrap();
    let (directory, link) = (parent.path().join("private"), parent.path().join("link"));
    std::fs::create_dir(&directory).unwrap();
    let before = directory.metadata().unwrap().mode();
    symlink(&directory, &link).unwrap();
    assert!(matches!(prepare(&args(link)), Err(PrepareError::NotADirectory(_))));
    assert_eq!(directory.metadata().unwrap().mode(), before);
}

#[test]
fn a_missing_parent_is_named() {
    let error = prepare(&args("/nonexistent/providers".into())).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/providers: creating it failed"), "{error}");
}
