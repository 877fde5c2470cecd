//! What the two sides say to each other: tasks in, each four fields with their lengths; answers out, each a number that
//! tells text from causes, and a length or a line. An answer has no place for an error's words, so none can leak.

use std::io::{self, Write};

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{Cause, TemplateError};
use crate::spec::Delimiters;

/// Bytes of an answer before its text.
pub(crate) const HEADER: usize = 5;

/// One template, and its values as JSON; none where only the syntax is asked about.
pub(crate) struct Task<'a> {
    pub(crate) text: &'a str,
    pub(crate) delimiters: Delimiters,
    pub(crate) sources: Option<&'a [u8]>,
}

/// Why there is no text, at a line from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: u32,
    pub(crate) cause: Cause,
}

/// What an answer starts with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChildResponse {
    /// That many bytes follow.
    Text(usize),
    Fault(Fault),
}

/// Tasks as bytes, in memory of the right size from the start: a vector that grows leaves copies behind.
pub(crate) fn tasks<'a>(
    templates: impl Iterator<Item = (&'a str, &'a Delimiters, Option<&'a Map<String, Value>>)> + Clone,
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
    sources: Option<&Map<String, Value>>,
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

/// Counts what is written.
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

/// The next task of `bytes`, which then start behind it; `None` when they are at their end or not [`tasks`]'s.
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

/// Writes the answer to one task.
pub(crate) fn write_answer(to: &mut impl Write, answer: Result<&[u8], Fault>) -> io::Result<()> {
    match answer {
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

/// Reads an answer's start; `None` for a number that is no cause's.
pub(crate) fn answer([kind, number @ ..]: [u8; HEADER]) -> Option<ChildResponse> {
    let number = u32::from_be_bytes(number);
    if kind == 0 {
        return usize::try_from(number).ok().map(ChildResponse::Text);
    }
    Some(ChildResponse::Fault(Fault { line: number, cause: Cause::from_number(kind)? }))
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
    fn a_task_arrives_as_it_was_sent() {
        let sources = json!({"db": {"password": "p\u{0}w"}}).as_object().unwrap().clone();
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
    fn every_cause_has_a_number_of_its_own_and_a_short_sentence() {
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
        fn an_answer_arrives_as_it_was_sent(text: Vec<u8>, line: u32, number in 1..=17_u8) {
            let fault = Fault { line, cause: Cause::from_number(number).unwrap() };
            for (sent, expected) in [(Ok(&text[..]), ChildResponse::Text(text.len())), (Err(fault), ChildResponse::Fault(fault))] {
                let mut bytes = Vec::new();
                write_answer(&mut bytes, sent).unwrap();
                prop_assert_eq!(answer(*bytes.first_chunk().unwrap()), Some(expected));
            }
        }
    }
}
