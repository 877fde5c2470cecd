//! The report of one load.

use std::fmt::Write;
use std::process::ExitCode;

use crate::args::Args;
use crate::check::short;
use crate::environment::Environment;
use crate::load::{Load, Part, Round};

/// The head of the table of `rows`.
pub(crate) const HEAD: &str = "| load | by | mounts/s | p50 ms | p99 ms | logins a mount | other requests a mount | CPU ms a mount |\n\
                               | --- | --- | --- | --- | --- | --- | --- | --- |\n";

/// Measures the load that `args` say.
pub(crate) async fn run(args: &Args, environment: &Environment) -> ExitCode {
    if args.socket.is_some() {
        eprintln!("the provider's server is {}", environment.hop.url());
    }
    let load = Load::measure(args, environment, &args.shape).await;
    println!("\n{HEAD}{}", rows(&load));
    let rate = |part: Sides, than: fn(&[&Part; 3]) -> f64| {
        short(load.median(|round| part(round)[2].timing.rate() / than(&part(round))))
    };
    let (bare, behind) =
        (|sides: &[&Part; 3]| sides[0].timing.rate(), |sides: &[&Part; 3]| sides[1].timing.rate());
    println!("rate to bare, median of the rounds: cold {}, warm {}", rate(cold, bare), rate(warm, bare));
    println!("rate to bare behind a call: cold {}, warm {}", rate(cold, behind), rate(warm, behind));
    println!("RssAnon when all is mounted: {} MB", short(load.median(|round| round.memory as f64) / 1024.0));
    if args.socket.is_none() {
        println!("first answer: {} ms", short(load.median(first_answer_ms)));
    }
    ExitCode::SUCCESS
}

/// One part of a round for all sides: bare, bare after a call, the provider.
pub(crate) type Sides = fn(&Round) -> [&Part; 3];

/// The first mounts.
pub(crate) fn cold(round: &Round) -> [&Part; 3] {
    [&round.bare.cold, &round.behind.cold, &round.provider.cold]
}

/// The repeated ones.
pub(crate) fn warm(round: &Round) -> [&Part; 3] {
    [&round.bare.warm, &round.behind.warm, &round.provider.warm]
}

/// Milliseconds from the start to the first response.
pub(crate) fn first_answer_ms(round: &Round) -> f64 {
    round.first_answer.map_or(f64::NAN, |took| took.as_secs_f64() * 1000.0)
}

/// Every part of `load`, a row each, as Markdown.
pub(crate) fn rows(load: &Load) -> String {
    let parts: &[(&str, Sides)] =
        if load.shape.remounts > 0 { &[("cold", cold), ("warm", warm)] } else { &[("cold", cold)] };
    let sides = ["bare", "bare behind a call", "provider"];
    parts
        .iter()
        .flat_map(|(name, part)| {
            sides.iter().enumerate().map(|(side, by)| row(load, name, by, |round| part(round)[side]))
        })
        .collect()
}

/// Medians over the rounds. The bare calls have no processor time: it would be that of the benchmark itself.
fn row(load: &Load, name: &str, by: &str, part: impl Fn(&Round) -> &Part) -> String {
    let figures = [
        load.median(|round| part(round).timing.rate()),
        load.median(|round| part(round).timing.p50()),
        load.median(|round| part(round).timing.p99()),
        load.median(|round| part(round).requests(is_login) / part(round).timing.each.len() as f64),
    ];
    let processor =
        if by != "provider" { "-".into() } else { short(load.median(|round| part(round).processor_ms())) };
    let others = others(part(&load.rounds[load.rounds.len() / 2]));
    format!(
        "| {}, {name} | {by} | {} | {others} | {processor} |\n",
        load.shape.description(),
        figures.map(short).join(" | ")
    )
}

/// Requests other than logins, by class, of one round: they are the same in each.
fn others(part: &Part) -> String {
    let mounts = part.timing.each.len() as f64;
    let mut calls = String::new();
    for (class, count) in part.counts.iter().filter(|(class, _)| !is_login(class)) {
        let _ = write!(calls, "{} {class}, ", short(*count as f64 / mounts));
    }
    if calls.is_empty() { "none".into() } else { calls.trim_end_matches(", ").into() }
}

/// True for the class of a login.
pub(crate) fn is_login(class: &str) -> bool {
    class.starts_with("POST auth/") && class.ends_with("/login")
}
