//! The messages between parent and child. A task is four fields, each with its length. A result is a number (0 for a text, otherwise the
//! cause), followed by the length of the text or by the line. A result has no field for the text of an error, so that none can leak.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::Cause;
use crate::secret::WipedMap;
use crate::spec::Delimiters;

/// Bytes of a result before its text or its faults.
pub(crate) const HEADER: usize = 5;

/// Bytes of a fault: its cause, its line, and the start and the end of the word.
pub(crate) const FAULT: usize = 13;

/// Faults of one template that are reported; further ones are left out.
pub(crate) const FAULTS: usize = 8;

/// One template, and its sources as JSON: an object to render it, a list of their names to check it.
pub(crate) struct Task<'a> {
    pub(crate) text: &'a str,
    pub(crate) delimiters: Delimiters,
    pub(crate) sources: &'a [u8],
}

/// The sources of a task.
#[derive(Clone, Copy, serde::Serialize)]
#[serde(untagged)]
pub(crate) enum Sources<'a> {
    /// To check a template.
    Names(&'a [String]),
    /// To render it.
    Values(&'a WipedMap),
}

/// What is wrong, and where. The parent reads the word from the template that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// From 1.
    pub(crate) line: u32,
    /// The word, as the range of its bytes in the template; empty if it is not known.
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) cause: Cause,
}

impl Fault {
    /// The fault of the word from `start` to `end` in `text`.
    pub(crate) fn at(text: &str, start: usize, end: usize, cause: Cause) -> Self {
        let line = text.as_bytes().iter().take(start).filter(|byte| **byte == b'\n').count() + 1;
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self { line: number(line), start: number(start), end: number(end), cause }
    }

    /// The fault of a line, without a word.
    pub(crate) fn of_line(line: u32, cause: Cause) -> Self {
        Self { line, start: 0, end: 0, cause }
    }
}

/// The start of a result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ResultHeader {
    /// A text of this many bytes follows.
    Text(usize),
    /// This many faults follow.
    Faults(usize),
}

/// Writes tasks as bytes. Allocates the exact size first: a vector that grows leaves copies of secrets in memory.
pub(crate) fn tasks<'a>(
    templates: impl Iterator<Item = (&'a str, &'a Delimiters, Sources<'a>)> + Clone,
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

fn write_task(to: &mut impl Write, text: &str, by: &Delimiters, sources: Sources<'_>) -> io::Result<()> {
    for field in [text, &by.open, &by.close] {
        write_length(to, field.len())?;
        to.write_all(field.as_bytes())?;
    }
    let mut size = Size(0);
    serde_json::to_writer(&mut size, &sources)?;
    write_length(to, size.0)?;
    Ok(serde_json::to_writer(to, &sources)?)
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
    Some(Task { text, delimiters, sources })
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
pub(crate) fn write_result(to: &mut impl Write, result: Result<&[u8], &[Fault]>) -> io::Result<()> {
    match result {
        Ok(text) => {
            to.write_all(&[0])?;
            write_length(to, text.len())?;
            to.write_all(text)?;
        }
        Err(faults) => {
            let faults = &faults[..faults.len().min(FAULTS)];
            to.write_all(&[1])?;
            write_length(to, faults.len())?;
            for Fault { line, start, end, cause } in faults {
                to.write_all(&[cause.number()])?;
                [line, start, end].into_iter().try_for_each(|number| to.write_all(&number.to_be_bytes()))?;
            }
        }
    }
    to.flush()
}

/// Reads the start of a result; `None` if it is none.
pub(crate) fn read_header([kind, number @ ..]: [u8; HEADER]) -> Option<ResultHeader> {
    let number = usize::try_from(u32::from_be_bytes(number)).ok()?;
    match kind {
        0 => Some(ResultHeader::Text(number)),
        1 if (1..=FAULTS).contains(&number) => Some(ResultHeader::Faults(number)),
        _ => None,
    }
}

/// Reads a fault; `None` for a number without a cause.
pub(crate) fn read_fault(bytes: [u8; FAULT]) -> Option<Fault> {
    let number = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let cause = Cause::from_number(bytes[0])?;
    Some(Fault { line: number(1)?, start: number(5)?, end: number(9)?, cause })
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
        let (values, names) = (Sources::Values(&sources), ["db".to_owned()]);
        let sent =
            tasks([("{{ a }}", &braces, values), ("", &braces, Sources::Names(&names))].into_iter()).unwrap();
        let mut rest = &sent[..];
        let first = next_task(&mut rest).unwrap();
        assert_eq!((first.text, &first.delimiters), ("{{ a }}", &braces));
        assert_eq!(first.sources, b"{\"db\":{\"password\":\"p\\u0000w\"}}");
        let second = next_task(&mut rest).unwrap();
        assert!(second.text.is_empty() && second.sources == b"[\"db\"]");
        assert!(next_task(&mut rest).is_none() && rest.is_empty());
        assert_eq!(sent.capacity(), sent.len(), "it grew, and left copies behind");
    }

    #[test]
    fn every_cause_has_its_own_number_and_a_short_text() {
        let causes: Vec<_> = (0..=u8::MAX).filter_map(Cause::from_number).collect();
        for cause in &causes {
            assert_eq!(Cause::from_number(cause.number()), Some(*cause));
            assert!(cause.to_string().len() <= 160, "{cause:?}");
        }
        assert_eq!(causes.len(), 22);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_child_panic(bytes: Vec<u8>) {
            let mut rest = &bytes[..];
            while next_task(&mut rest).is_some() {}
        }

        #[test]
        fn a_result_is_read_as_it_was_written(text: Vec<u8>, line: u32, start: u32, end: u32, number in 1..=22_u8) {
            let fault = Fault { line, start, end, cause: Cause::from_number(number).unwrap() };
            let mut bytes = Vec::new();
            write_result(&mut bytes, Ok(&text)).unwrap();
            prop_assert_eq!(read_header(*bytes.first_chunk().unwrap()), Some(ResultHeader::Text(text.len())));
            bytes.clear();
            write_result(&mut bytes, Err(&[fault, fault])).unwrap();
            prop_assert_eq!(read_header(*bytes.first_chunk().unwrap()), Some(ResultHeader::Faults(2)));
            prop_assert_eq!(read_fault(*bytes.last_chunk().unwrap()), Some(fault));
        }
    }
}
