//! Renders one template with minijinja, without the parts of it that read other templates.

#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, escape_formatter,
};

use super::{Cause, filters, limits, values};
use crate::secret::Secret;
use crate::spec::Delimiters;
use crate::template::protocol::{Fault, Task};

/// Renders `task` into a text of at most `limit` bytes. A task without sources only checks the syntax; its text is empty.
pub(crate) fn render(task: &Task<'_>, limit: usize) -> Result<Secret, Fault> {
    let at_start = |cause| Fault { line: 1, cause };
    let mut environment = environment();
    environment.set_syntax(syntax(&task.delimiters).map_err(|_| at_start(Cause::Delimiters))?);
    let template =
        environment.template_from_named_str("template", task.text).map_err(|error| fault(&error))?;
    let Some(sources) = task.sources else { return Ok(Secret::from(Vec::new())) };
    let sources = values::read(sources).map_err(|_| at_start(Cause::NotText))?;
    let mut text = Text { bytes: Vec::new(), limit };
    match template.render_captured_to(sources, &mut text) {
        Ok(_) => Ok(Secret::from(text.bytes)),
        Err(error) => Err(fault(&error)),
    }
}

/// minijinja is built without its features `multi_template` and `macros`: no statement can name another template.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_formatter(write_value);
    environment.set_fuel(Some(limits::STEPS));
    // Escaping is for HTML. `pprint` and `debug` print values as Rust does, which may change with each version.
    ["escape", "e", "safe", "pprint"].into_iter().for_each(|name| environment.remove_filter(name));
    environment.remove_global("debug");
    filters::add(&mut environment);
    environment
}

/// The delimiters of statements are the first character of `open` and the last of `close` with `%`; those of comments have `#`.
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

/// Refuses null, lists and maps, which Jinja writes as Python does: in a file that is always a mistake. Writes booleans in lower case.
fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Bool => Ok(out.write_str(if value.is_true() { "true" } else { "false" })?),
        ValueKind::None => Err(Cause::Null.into_error()),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable | ValueKind::Bytes => {
            Err(Cause::Whole.into_error())
        }
        ValueKind::Plain if values::exact(value).is_none() => Err(Cause::Whole.into_error()),
        _ => escape_formatter(out, state, value),
    }
}

/// The kind and the line of an error. Its text is not used, because it may quote a secret.
fn fault(error: &Error) -> Fault {
    let line = error.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(1);
    Fault { line, cause: own_cause(error).unwrap_or_else(|| cause_of_kind(error.kind())) }
}

/// Our own cause, if one is the source of the error. minijinja may have wrapped it in its own errors.
fn own_cause(error: &Error) -> Option<Cause> {
    std::iter::successors(error.source(), |&error| error.source())
        .find_map(|error| error.downcast_ref())
        .copied()
}

/// The cause for a kind of minijinja's. The enum is non-exhaustive; any other kind is a wrong use of a value.
fn cause_of_kind(kind: ErrorKind) -> Cause {
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

/// A text that accepts bytes up to a limit.
struct Text {
    bytes: Vec<u8>,
    /// Bytes that it still accepts.
    limit: usize,
}

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.limit = self.limit.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
