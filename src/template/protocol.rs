//! The messages between parent and child. A task is four fields, each with its length. A result is a number (0 for a text, otherwise the
//! cause), followed by the length of the text or by the line. A result has no field for the text of an error, so that none can leak.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::{Cause, TemplateError};
use crate::secret::WipedMap;
use crate::spec::Delimiters;

/// Bytes of a result before its text.
pub(crate) const HEADER: usize = 5;

/// One template, and its sources as JSON; `None` to check only the syntax.
pub(crate) struct Task<'a> {
    pub(crate) text: &'a str,
    pub(crate) delimiters: Delimiters,
    pub(crate) sources: Option<&'a [u8]>,
}

/// Why there is no text, and in which line, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: u32,
    pub(crate) cause: Cause,
}

/// The start of a result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ResultHeader {
    /// A text of this many bytes follows.
    Text(usize),
    Fault(Fault),
}

/// Writes tasks as bytes. Allocates the exact size first: a vector that grows leaves copies of secrets in memory.
pub(crate) fn tasks<'a>(
    templates: impl Iterator<Item = (&'a str, &'a Delimiters, Option<&'a WipedMap>)> + Clone,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut size = Size(0);
    templates
        .clone()
        .try_for_each(|(text, delimiters, sources)| write_task(&mut size, text, delimiters, sources))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.0));
    templates
        .into_iter()
        .try_for_each(|(text, delimiters, sources)| write_task(&mut *bytes, text, delimiters, sources))?;
    Ok(bytes)
}

fn write_task(
    to: &mut impl Write,
    text: &str,
    by: &Delimiters,
    sources: Option<&WipedMap>,
) -> io::Result<()> {
    for field in [text, &by.open, &by.close] {
        write_length(to, field.len())?;
        to.write_all(field.as_bytes())?;
    }
    let mut size = Size(0);
    let Some(sources) = sources else { return write_length(to, 0) };
    serde_json::to_writer(&mut size, sources)?;
    write_length(to, size.0)?;
    Ok(serde_json::to_writer(to, sources)?)
}

fn write_length(to: &mut impl Write, length: usize) -> io::Result<()> {
    let length = u32::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
    to.write_all(&length.to_be_bytes())
}

/// Counts the bytes that are written to it.
struct Size(usize);

impl Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the next task and removes it from `bytes`. `None` at the end, or if the bytes are not from [`tasks`].
pub(crate) fn next_task<'a>(bytes: &mut &'a [u8]) -> Option<Task<'a>> {
    let text = next_text(bytes)?;
    let delimiters = Delimiters { open: next_text(bytes)?.into(), close: next_text(bytes)?.into() };
    let sources = next_field(bytes)?;
    Some(Task { text, delimiters, sources: (!sources.is_empty()).then_some(sources) })
}

fn next_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    str::from_utf8(next_field(bytes)?).ok()
}

fn next_field<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (field, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(field)
}

/// Writes the result of one task.
pub(crate) fn write_result(to: &mut impl Write, result: Result<&[u8], Fault>) -> io::Result<()> {
    match result {
        Ok(text) => {
            to.write_all(&[0])?;
            write_length(to, text.len())?;
            to.write_all(text)?;
        }
        Err(Fault { line, cause }) => {
            to.write_all(&[cause.number()])?;
            to.write_all(&line.to_be_bytes())?;
        }
    }
    to.flush()
}

/// Reads the start of a result; `None` for a number without a cause.
pub(crate) fn read_header([kind, number @ ..]: [u8; HEADER]) -> Option<ResultHeader> {
    let number = u32::from_be_bytes(number);
    if kind == 0 {
        return usize::try_from(number).ok().map(ResultHeader::Text);
    }
    Some(ResultHeader::Fault(Fault { line: number, cause: Cause::from_number(kind)? }))
}

impl From<Fault> for TemplateError {
    fn from(Fault { line, cause }: Fault) -> Self {
        if cause == Cause::TooLong { Self::TooLong } else { Self::Fails { line, cause } }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_task_is_read_as_it_was_written() {
        let mut sources = WipedMap::default();
        sources.insert("db".into(), json!({"password": "p\u{0}w"}).into());
        let braces = Delimiters::default();
        let sent = tasks([("{{ a }}", &braces, Some(&sources)), ("", &braces, None)].into_iter()).unwrap();
        let mut rest = &sent[..];
        let first = next_task(&mut rest).unwrap();
        assert_eq!((first.text, &first.delimiters), ("{{ a }}", &braces));
        assert_eq!(first.sources, Some(&b"{\"db\":{\"password\":\"p\\u0000w\"}}"[..]));
        let second = next_task(&mut rest).unwrap();
        assert!(second.text.is_empty() && second.sources.is_none());
        assert!(next_task(&mut rest).is_none() && rest.is_empty());
        assert_eq!(sent.capacity(), sent.len(), "it grew, and left copies behind");
    }

    #[test]
    fn every_cause_has_its_own_number_and_a_short_text() {
        let causes: Vec<_> = (0..=u8::MAX).filter_map(Cause::from_number).collect();
        for cause in &causes {
            assert_eq!(Cause::from_number(cause.number()), Some(*cause));
            assert!(
                TemplateError::from(Fault { line: 65_536, cause: *cause }).to_string().len() <= 160,
                "{cause:?}"
            );
        }
        assert_eq!(causes.len(), 17);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_child_panic(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            while next_task(&mut rest).is_some() {}
        }

        #[test]
        fn a_result_is_read_as_it_was_written(text: Vec<u8>, line: u32, number in 1..=17_u8) {
            let fault = Fault { line, cause: Cause::from_number(number).unwrap() };
            for (sent, expected) in [(Ok(&text[..]), ResultHeader::Text(text.len())), (Err(fault), ResultHeader::Fault(fault))] {
                let mut bytes = Vec::new();
                write_result(&mut bytes, sent).unwrap();
                prop_assert_eq!(read_header(*bytes.first_chunk().unwrap()), Some(expected));
            }
        }
    }
}
