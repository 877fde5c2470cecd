//! One load, told in full.

use std::fmt::Write;
use std::process::ExitCode;

use crate::args::Args;
use crate::check::short;
use crate::load::{Load, Part, Round};
use crate::stage::Stage;

/// The head of `rows`.
pub(crate) const HEAD: &str = "| load | by | mounts/s | p50 ms | p99 ms | logins a mount | other requests a mount | CPU ms a mount |\n\
                               | --- | --- | --- | --- | --- | --- | --- | --- |\n";

/// Measures the load that `args` say.
pub(crate) async fn run(args: &Args, stage: &Stage) -> ExitCode {
    if args.socket.is_some() {
        eprintln!("the provider's server is {}", stage.hop.url());
    }
    let load = Load::measure(args, stage, &args.shape).await;
    println!("\n{HEAD}{}", rows(&load));
    let rate = |part: fn(&Round) -> (&Part, &Part)| load.median(|round| part(round).0.lap.rate() / part(round).1.lap.rate());
    println!("rate to bare, median of the rounds: cold {}, warm {}", short(rate(cold)), short(rate(warm)));
    println!("RssAnon when all is mounted: {} MB", short(load.median(|round| round.memory as f64) / 1024.0));
    if args.socket.is_none() {
        println!("first answer: {} ms", short(load.median(first_answer_ms)));
    }
    ExitCode::SUCCESS
}

/// The provider's first mounts, and the bare ones.
pub(crate) fn cold(round: &Round) -> (&Part, &Part) {
    (&round.provider.cold, &round.bare.cold)
}

/// The provider's repeated mounts, and the bare ones.
pub(crate) fn warm(round: &Round) -> (&Part, &Part) {
    (&round.provider.warm, &round.bare.warm)
}

/// Milliseconds from start to answer.
pub(crate) fn first_answer_ms(round: &Round) -> f64 {
    round.first_answer.map_or(f64::NAN, |took| took.as_secs_f64() * 1000.0)
}

/// Every part of `load`, a row each, as Markdown.
pub(crate) fn rows(load: &Load) -> String {
    let mut rows = row(load, "cold", "bare", |round| &round.bare.cold) + &row(load, "cold", "provider", |round| &round.provider.cold);
    if load.shape.remounts > 0 {
        rows += &row(load, "warm", "bare", |round| &round.bare.warm);
        rows += &row(load, "warm", "provider", |round| &round.provider.warm);
    }
    rows
}

/// Medians over the rounds; the bare calls are made by ourselves, whose processor time tells nothing.
fn row(load: &Load, name: &str, by: &str, part: fn(&Round) -> &Part) -> String {
    let figures = [
        load.median(|round| part(round).lap.rate()),
        load.median(|round| part(round).lap.p50()),
        load.median(|round| part(round).lap.p99()),
        load.median(|round| part(round).requests(is_login) / part(round).lap.each.len() as f64),
    ];
    let processor = if by == "bare" { "-".into() } else { short(load.median(|round| part(round).processor_ms())) };
    let others = others(part(&load.rounds[load.rounds.len() / 2]));
    format!("| {}, {name} | {by} | {} | {others} | {processor} |\n", load.shape.told(), figures.map(short).join(" | "))
}

/// Requests that are no login, by class: of one round, for they are the same in each.
fn others(part: &Part) -> String {
    let mounts = part.lap.each.len() as f64;
    let mut told = String::new();
    for (class, count) in part.counts.iter().filter(|(class, _)| !is_login(class)) {
        let _ = write!(told, "{} {class}, ", short(*count as f64 / mounts));
    }
    if told.is_empty() { "none".into() } else { told.trim_end_matches(", ").into() }
}

/// True for the class of a login.
pub(crate) fn is_login(class: &str) -> bool {
    class.starts_with("POST auth/") && class.ends_with("/login")
}
