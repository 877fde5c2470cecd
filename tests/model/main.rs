//! A model of who may read what, walked at random: many pods, accounts that are made anew, policies and secrets that change, tokens that an
//! operator revokes, and a provider that is killed, against a real OpenBao.
//!
//! After each mount the model knows the answer: the newest values, or why there are none. What is made for one volume is never shown in
//! another's. A walk tells its seed; `VAULTMOUNT_MODEL_SEED` walks that one alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod node; // the provider, which dies and comes back
mod pod; // pods, and what the driver sends for them
#[path = "../support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the stories use the rest")]
mod support;
mod walk; // one walk
mod world; // the server, and the model of it

use walk::Walk;

/// Seeds that are walked every time; one more is new each time.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];

/// Steps of a walk, of which about half are mounts of several pods at once.
const STEPS: usize = 80;

#[tokio::test]
async fn no_pod_is_ever_served_what_its_account_and_role_may_not_read_now() {
    let wanted = std::env::var("VAULTMOUNT_MODEL_SEED").ok().map(|seed| vec![seed.parse().unwrap()]);
    let seeds = wanted.unwrap_or_else(|| [&SEEDS[..], &[rand::random()]].concat());
    eprintln!("seeds: {seeds:?}");
    let walks = seeds.into_iter().map(async |seed| Walk::begin(seed).await.go(STEPS).await);
    let seen = futures::future::join_all(walks).await;
    let (served, refused) = seen.iter().fold((0, 0), |(served, refused), walk| (served + walk.0, refused + walk.1));
    assert!(served > 300 && refused > 60, "the walks saw too little: {served} mounts that were served, {refused} that were not");
}
