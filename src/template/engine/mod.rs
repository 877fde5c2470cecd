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

use super::{Cause, check, filters, lexer, limits, values};
use crate::secret::Secret;
use crate::spec::Delimiters;
use crate::template::protocol::{Fault, Task};

/// Renders `task` into a text of at most `limit` bytes. A task with names instead of values only checks the template; its text is empty.
pub(crate) fn render(task: &Task<'_>, limit: usize) -> Result<Secret, Vec<Fault>> {
    let at_start = |cause| vec![Fault::of_line(1, cause)];
    let mut environment = environment();
    environment.set_syntax(syntax(&task.delimiters).map_err(|_| at_start(Cause::Delimiters))?);
    let template = environment.template_from_named_str("template", task.text);
    if let Ok(names) = serde_json::from_slice::<Vec<String>>(task.sources) {
        let faults = all_faults(task, &names, template.err());
        return if faults.is_empty() { Ok(Secret::from(Vec::new())) } else { Err(faults) };
    }
    let template = template.map_err(|error| vec![fault(&error)])?;
    let sources = values::read(task.sources).map_err(|_| at_start(Cause::NotText))?;
    let mut text = Text { bytes: Vec::new(), limit };
    match template.render_captured_to(sources, &mut text) {
        Ok(_) => Ok(Secret::from(text.bytes)),
        Err(error) => Err(vec![fault(&error)]),
    }
}

/// The error of the parser, and every unknown word elsewhere; for a template of Go only its first word that shows this.
fn all_faults(task: &Task<'_>, names: &[String], error: Option<Error>) -> Vec<Fault> {
    let tags = lexer::tags(task.text, &task.delimiters);
    // The environment of the task has its own delimiters.
    let words = check::faults(task.text, &tags, names, &environment());
    let syntax = error.map(|error| syntax_fault(task, &tags, &error));
    if syntax.is_none() && words.is_empty() {
        return words;
    }
    if let Some((start, end)) = check::go_word(&tags) {
        return vec![Fault::at(task.text, start, end, Cause::GoTemplate)];
    }
    let line = syntax.map(|fault| fault.line);
    let elsewhere = words.into_iter().filter(|fault| Some(fault.line) != line);
    let mut faults: Vec<_> = syntax.into_iter().chain(elsewhere).collect();
    faults.sort_by_key(|fault| fault.line);
    faults
}

/// The error of the parser with the words of its tag.
fn syntax_fault(task: &Task<'_>, tags: &[lexer::Tag<'_>], error: &Error) -> Fault {
    let fault = fault(error);
    // The parser names the line. The last tag that begins up to there is where it stopped.
    let end = lexer::line(task.text, fault.line).end;
    let begins = |tag: &&lexer::Tag<'_>| tag.start < end;
    match tags.iter().rev().find(begins).map(|tag| (tag, tag.tokens.first(), tag.tokens.last())) {
        Some((_, Some(first), Some(last))) => {
            Fault { line: fault.line, ..Fault::at(task.text, first.start, last.end(), fault.cause) }
        }
        _ => fault,
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
    Fault::of_line(line, own_cause(error).unwrap_or_else(|| cause_of_kind(error.kind())))
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
