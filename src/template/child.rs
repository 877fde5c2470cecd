//! The child process: one thread, no runtime, no environment. It reads tasks from stdin and writes results to stdout.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use zeroize::Zeroizing;

use super::{engine, limits, protocol};

/// Runs `vaultmount render-templates`, which only the parent process uses. Writes nothing but results. The exit code is about the protocol only:
/// a template that fails has a result of its own.
pub(crate) fn child() -> ExitCode {
    // Prints nothing for a panic, whose text may hold a secret.
    std::panic::set_hook(Box::new(|_| {}));
    let exchanged =
        limits::enter().and_then(|()| exchange(&mut io::stdin().lock(), &mut io::stdout().lock()));
    if exchanged.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads all tasks before it writes the first result: the parent first writes everything, and then reads.
fn exchange(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.read_to_end(&mut bytes)?;
    let mut rest = &bytes[..];
    let mut bytes_left = limits::OUTPUT;
    while let Some(task) = protocol::next_task(&mut rest) {
        let result = engine::render(&task, bytes_left);
        bytes_left -= result.as_ref().map_or(0, |text| text.len());
        protocol::write_result(to, result.as_ref().map(|text| text.expose()).map_err(Vec::as_slice))?;
    }
    if rest.is_empty() { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}
