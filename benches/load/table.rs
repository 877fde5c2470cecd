//! The lines of `docs/performance.md`: the goal of each, its load, and how its figure is computed.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::args::{Args, Shape};
use crate::bare::Bare;
use crate::check::{Goal, Line, Outcome, short};
use crate::document;
use crate::environment::Environment;
use crate::load::{Load, Part, Round, read};
use crate::object_kind::ObjectKind;
use crate::pods::Pods;
use crate::report::{self, Sides, cold, first_answer_ms, warm};
use crate::statistics::median;
use crate::timing::Timing;

/// Measures every line. Fails when a required goal is missed.
pub(crate) async fn run(args: &Args, environment: &Environment, document: &Path) -> ExitCode {
    let mut lines = Vec::new();
    let pods = Load::measure(args, environment, &own_accounts()).await;
    lines.extend(pod_lines(&pods));
    let mut loads = vec![pods];
    for (objects, rtt_ms, most) in [(1, 0.0, 1.15), (20, 0.0, 1.25), (1, 5.0, 1.05), (20, 5.0, 1.10)] {
        let load = Load::measure(args, environment, &one_at_a_time(objects, rtt_ms)).await;
        lines.push(latency(&load, most));
        loads.push(load);
    }
    let replicas = Load::measure(args, environment, &replicas()).await;
    lines.extend(replica_lines(&replicas));
    loads.push(replicas);
    lines.extend(first_answer(&loads));
    let tables = tables(&lines, &loads, &hop_line(args, environment).await);
    println!("{tables}");
    document::write(document, &tables);
    let missed = lines.iter().filter(|line| line.outcome() == Outcome::Miss).count();
    eprintln!("{} of {} lines missed", missed, lines.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Repeated often, because the kernel counts processor time in steps of 10 ms.
fn own_accounts() -> Shape {
    shape(100, 8, 1).repeated(10)
}

fn one_at_a_time(objects: usize, rtt_ms: f64) -> Shape {
    Shape { rtt_ms, ..shape(100, 1, objects) }
}

/// Each repetition comes just after `refresh` has passed.
fn replicas() -> Shape {
    Shape { accounts: Some(1), refresh: "2s".into(), rest_ms: 2100, ..shape(110, 8, 20).repeated(1) }
}

fn shape(pods: usize, concurrency: usize, objects: usize) -> Shape {
    let refresh = "0s".into();
    Shape {
        pods,
        concurrency,
        accounts: None,
        objects,
        kind: ObjectKind::Kv,
        rtt_ms: 0.0,
        remounts: 0,
        refresh,
        rest_ms: 0,
    }
}

impl Shape {
    fn repeated(self, remounts: usize) -> Self {
        Self { remounts, ..self }
    }
}

fn pod_lines(load: &Load) -> [Line; 3] {
    let work = "100 pods, 8 at a time, an account each";
    [
        rate(load, &format!("{work}: cold"), cold, 0.8),
        rate(load, &format!("{work}: warm"), warm, 0.8),
        Line::figure(
            "CPU of a warm mount",
            " ms",
            0.3,
            load.median(|round| round.provider.warm.processor_ms()),
        ),
    ]
}

fn replica_lines(load: &Load) -> [Line; 5] {
    let work = "110 replicas x 20 objects, one account";
    let all = |part: &Part| part.requests(|_| true);
    [
        Line::figure(
            format!("{work}, cold: Vault requests"),
            "",
            21.0,
            load.median(|round| all(&round.provider.cold)),
        ),
        Line::figure(
            format!("{work}, each `refresh`: Vault requests"),
            "",
            20.0,
            load.median(|round| all(&round.provider.warm)),
        ),
        rate(load, &format!("{work}: cold"), cold, 5.0),
        rate(load, &format!("{work}: republish"), warm, 5.0),
        Line::figure(
            format!("{work}: RssAnon"),
            " MB",
            15.0,
            load.median(|round| round.memory as f64 / 1024.0),
        ),
    ]
}

/// Mounts per second, compared with the bare calls.
fn rate(load: &Load, work: &str, part: Sides, least: f64) -> Line {
    beside(load, work.into(), Goal::AtLeast(least), " /s", |round| part(round).map(|side| side.timing.rate()))
}

/// Median time of a mount, compared with the bare calls.
fn latency(load: &Load, most: f64) -> Line {
    let Shape { objects, rtt_ms, .. } = load.shape;
    let away = if rtt_ms > 0.0 { format!(", {rtt_ms} ms away") } else { String::new() };
    let work =
        format!("one mount at a time, cold, {objects} object{}{away}", if objects == 1 { "" } else { "s" });
    beside(load, work, Goal::AtMost(most), " ms", |round| cold(round).map(|side| side.timing.p50()))
}

/// One figure for all sides.
fn beside(
    load: &Load,
    work: String,
    goal: Goal,
    unit: &'static str,
    sides: impl Fn(&Round) -> [f64; 3],
) -> Line {
    let [bound, behind, measured] = [0, 1, 2].map(|side| load.median(|round| sides(round)[side]));
    let [ratio, counts] = [0, 1].map(|side| load.median(|round| sides(round)[2] / sides(round)[side]));
    Line { work, goal, unit, bound, behind: Some(behind), measured, ratio, counts }
}

/// Time to the first response; `None` for a provider that already ran.
fn first_answer(loads: &[Load]) -> Option<Line> {
    let starts = loads.iter().flat_map(|load| &load.rounds).map(first_answer_ms);
    let took = median(starts);
    took.is_finite().then(|| Line::figure("first answer after the process's start", " ms", 50.0, took))
}

/// The cost of the hop itself, and the round trip time that it really adds.
async fn hop_line(args: &Args, environment: &Environment) -> String {
    let shape = one_at_a_time(1, 0.0);
    let pods = Arc::new(Pods::new(environment, &shape));
    let ways = [(environment.vault.address(), 0), (environment.hop.url(), 0), (environment.hop.url(), 5)];
    let mut took = [const { Vec::new() }; 3];
    for _ in 0..args.rounds {
        for ((url, rtt), took) in ways.iter().zip(&mut took) {
            environment.hop.lengthen(Duration::from_millis(*rtt));
            took.push(one_way(&shape, &pods, &Bare::to(url.clone())).await.p50());
        }
    }
    environment.hop.lengthen(Duration::ZERO);
    let [direct, through, far] = took.map(|took| short(median(took)));
    format!(
        "A bare read takes {direct} ms without the hop, {through} ms through it, {far} ms with 5 ms added."
    )
}

async fn one_way(shape: &Shape, pods: &Arc<Pods>, bare: &Bare) -> Timing {
    for pod in &pods.pods {
        if pod.token.get().is_none() {
            let _ = pod.token.set(bare.login(&pod.login).await);
        }
    }
    read(shape, pods, bare).await
}

fn tables(lines: &[Line], loads: &[Load], hop: &str) -> String {
    let rows: String = lines.iter().map(|line| line.row() + "\n").collect();
    let details: String = loads.iter().map(report::rows).collect();
    let head = "| work | bound | behind a call | measured | of the bound | of that behind a call | asked | result |\n\
                | --- | --- | --- | --- | --- | --- | --- | --- |\n";
    format!("{}\n\n{head}{rows}\n{hop}\n\n{}{details}", machine(), report::HEAD)
}

/// `2 cores, Linux 6.18`: nothing that identifies the machine.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = release.split(['-', '+', '\n']).next().unwrap_or_default();
    format!("Everything on one machine: {cores} cores, Linux {kernel}.")
}
