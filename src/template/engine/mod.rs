//! One template -> one text. The engine is minijinja, with what it needs for text and nothing that reaches outside.

#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter,
};

use super::{Cause, filters, limits, numbers};
use crate::secret::Secret;
use crate::spec::Delimiters;
use crate::template::protocol::{Fault, Task};

/// The text of `task`, of at most `room` bytes; empty when only the syntax is asked about.
pub(crate) fn render(task: &Task<'_>, room: usize) -> Result<Secret, Fault> {
    let nowhere = |cause| Fault { line: 1, cause };
    let mut environment = environment();
    environment.set_syntax(syntax(&task.delimiters).map_err(|_| nowhere(Cause::Delimiters))?);
    let template =
        environment.template_from_named_str("template", task.text).map_err(|error| fault(&error))?;
    let Some(sources) = task.sources else { return Ok(Secret::from(Vec::new())) };
    let sources = numbers::read(sources).map_err(|_| nowhere(Cause::NotText))?;
    let mut text = Text { bytes: Vec::new(), room };
    match template.render_captured_to(sources, &mut text) {
        Ok(_) => Ok(Secret::from(text.bytes)),
        Err(error) => Err(fault(&error)),
    }
}

/// Without the features for several templates and macros, the engine knows no statement that names another template.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(write_value);
    environment.set_fuel(Some(limits::STEPS));
    // Escaping is for HTML; the two others print values in Rust's form, which is no contract.
    ["escape", "e", "safe", "pprint"].into_iter().for_each(|name| environment.remove_filter(name));
    environment.remove_global("debug");
    filters::add(&mut environment);
    environment
}

/// Statements take the first character of `open` and the last of `close` with `%`, comments with `#`.
fn syntax(delimiters: &Delimiters) -> Result<SyntaxConfig, Error> {
    let Delimiters { open, close } = delimiters.clone();
    let statement = delimiters.statement();
    let comment = delimiters.comment();
    SyntaxConfig::builder()
        .variable_delimiters(open, close)
        .block_delimiters(statement.0, statement.1)
        .comment_delimiters(comment.0, comment.1)
        .keep_trailing_newline(true)
        .build()
}

/// Jinja writes null, lists and maps in Python's form: in a file all three are mistakes. `True` would be a fourth.
fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        ValueKind::None => Err(failed(Cause::Null)),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable | ValueKind::Bytes => Err(failed(Cause::Whole)),
        ValueKind::Plain if numbers::exact(value).is_none() => Err(failed(Cause::Whole)),
        _ => escape_formatter(out, state, value),
    }
}

/// The engine's error for a cause of ours.
pub(crate) fn failed(cause: Cause) -> Error {
    Error::new(ErrorKind::InvalidOperation, "").with_source(cause)
}

/// Only the kind and the line of an error leave the engine: its detail may quote a value.
fn fault(error: &Error) -> Fault {
    let line = error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(1);
    Fault { line, cause: ours(error).unwrap_or_else(|| cause(error.kind())) }
}

/// The cause of ours at the root of an error, behind whatever the engine put around it.
fn ours(error: &Error) -> Option<Cause> {
    std::iter::successors(error.source(), |&error| error.source())
        .find_map(|error| error.downcast_ref())
        .copied()
}

/// The kinds are the engine's, and it may add some: what is not told apart here is a wrong use of a value.
fn cause(kind: ErrorKind) -> Cause {
    match kind {
        ErrorKind::SyntaxError | ErrorKind::BadEscape => Cause::Syntax,
        ErrorKind::UndefinedError => Cause::Undefined,
        ErrorKind::UnknownFilter => Cause::UnknownFilter,
        ErrorKind::UnknownTest => Cause::UnknownTest,
        ErrorKind::UnknownFunction | ErrorKind::UnknownMethod => Cause::UnknownFunction,
        ErrorKind::TooManyArguments | ErrorKind::MissingArgument => Cause::Arguments,
        ErrorKind::OutOfFuel => Cause::TooMuchWork,
        ErrorKind::WriteFailure => Cause::TooLong,
        _ => Cause::Operation,
    }
}

/// Takes bytes up to its room.
struct Text {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room = self.room.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
