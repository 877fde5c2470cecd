//! The process: it is hardened, runs one command, and exits with the result.

use std::convert::Infallible;
use std::error::Error;
use std::process::ExitCode;

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

use crate::cli::refresh::RefreshArgs;
use crate::cli::{Command, S5Args, handover, mount_command, prepare, refresh, s5, serve};
use crate::settings::{Environment, ServeArgs, Settings};
use crate::{telemetry, template};

/// Runs the command of the command line. Never returns an error as a value: it goes to stderr, and the exit code is 1.
pub fn main() -> ExitCode {
    harden();
    let result = match Command::parse(std::env::args_os()) {
        Ok(Command::Serve(flags)) => start(*flags),
        Ok(Command::Mount(args)) => run(mount_command::mount(&args)),
        Ok(Command::Prepare(args)) => prepare::prepare(&args).map_err(Into::into),
        Ok(Command::S5(args)) => s5(*args),
        Ok(Command::Handover(args)) => run(handover::handover(&args, &Environment::read())),
        Ok(Command::Version { output }) => {
            println!("{}", output.version());
            Ok(())
        }
        Ok(Command::Refresh(args)) => return refresh(&args),
        Ok(Command::RenderTemplates) => return template::child(),
        Err(usage) => usage.exit(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vaultmount: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the settings, starts logging and serves. Errors of the settings go to stderr, warnings to the log.
fn start(flags: ServeArgs) -> Result<(), Box<dyn Error>> {
    let settings = Settings::new(flags, &Environment::read())?;
    telemetry::logs::start(settings.log_format, settings.log_level);
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    run(serve::serve(settings))
}

fn refresh(args: &RefreshArgs) -> ExitCode {
    let mut code = ExitCode::FAILURE;
    let work = async {
        code = refresh::refresh(args).await;
        Ok::<(), Infallible>(())
    };
    match run(work) {
        Ok(()) => code,
        Err(error) => {
            eprintln!("vaultmount: {error}");
            ExitCode::FAILURE
        }
    }
}

fn s5(args: S5Args) -> Result<(), Box<dyn Error>> {
    let (server, proxy) = args.server.operators(&Environment::read())?;
    run(s5::s5(args.work, server, proxy))
}

/// Runs `work` on an async runtime with one worker thread.
///
/// One thread is enough for everything that waits: a mount is a dozen short steps between calls, and waking another core for each costs
/// more than the step. Long computations run on threads of their own (`blocking`). Timers and sockets are checked after every few steps, so a
/// server that keeps one connection busy without end does not delay the timeouts of the others.
fn run<E: Error + 'static>(work: impl Future<Output = Result<(), E>>) -> Result<(), Box<dyn Error>> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .event_interval(EVENT_INTERVAL)
        .enable_all()
        .build()?
        .block_on(work)?)
}

/// Steps of tasks between two checks of timers and sockets; tokio's default is 61.
const EVENT_INTERVAL: u32 = 4;

/// Keeps memory out of core files and away from debuggers of the same user, and keeps the text of a panic out of the log: it may hold a
/// value. Best effort: vaultmount also serves if the kernel refuses.
fn harden() {
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = set_dumpable(false);
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map_or_else(String::new, ToString::to_string);
        tracing::error!(at, "panic: this is a defect of vaultmount, please report it");
    }));
}
