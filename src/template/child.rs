//! The child's side: one thread, no runtime, no environment; it reads tasks from its input and writes texts to its output.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use zeroize::Zeroizing;

use super::{engine, limits, protocol};

/// Plays `vaultmount render-templates`: never for people. Says nothing but its answers; the exit code tells of the
/// exchange only, for a template that fails has an answer of its own.
pub fn child() -> ExitCode {
    // Nothing to tell, and nobody to tell it to: a panic's words may hold a value.
    std::panic::set_hook(Box::new(|_| {}));
    let exchanged =
        limits::enter().and_then(|()| exchange(&mut io::stdin().lock(), &mut io::stdout().lock()));
    if exchanged.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Reads everything before it answers: the parent writes first and reads then.
fn exchange(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut bytes = Zeroizing::new(Vec::new());
    from.read_to_end(&mut bytes)?;
    let mut rest = &bytes[..];
    let mut room = limits::OUTPUT;
    while let Some(task) = protocol::next_task(&mut rest) {
        let answer = engine::render(&task, room);
        room -= answer.as_ref().map_or(0, |text| text.len());
        protocol::write_answer(to, answer.as_ref().map(|text| text.expose()).map_err(|fault| *fault))?;
    }
    if rest.is_empty() { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}
