//! A volume for which the driver sends no further request.

use crate::support::{Restore, Scenario, User, eventually, holds, server};

#[test]
fn a_database_user_lives_without_requests_of_the_driver() {
    let scenario = Scenario::alone();
    let _rotation = Restore(|| server::driver("5s"));
    server::driver("off");
    scenario.database("20s");
    let pod = scenario.pod("reader").mounts("db").start();
    let (user, all) = (User::of(&pod), User::all().unwrap());
    holds(45, "the login into PostgreSQL without rotation", || user.enters());
    {
        let _kubelet = Restore(|| server::kubelet("resume"));
        server::kubelet("hang");
        holds(45, "the login into PostgreSQL without a kubelet", || user.enters());
    }
    assert_eq!((User::of(&pod).name, pod.restarts()), (user.name.clone(), 0));
    assert!(User::all().unwrap().is_subset(&all), "another user was created");

    pod.delete();
    eventually(60, "the end of the user", || user.is_gone());
}
