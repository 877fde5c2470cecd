//! The text of an event: names, never a value.

use std::collections::BTreeSet;
use std::fmt::Write;

/// Names in one message.
const NAMES: usize = 8;
/// Bytes of one message; the API server refuses more than 1024.
const LONGEST: usize = 900;
/// Bytes kept for the number of those that are not named.
const REST: usize = 32;

/// `new content in volume "secrets": tls.crt, tls.key and 3 more`: the first names in order, as many as there is room for.
pub(crate) fn of(volume: &str, files: &BTreeSet<String>) -> String {
    let mut text = format!("new content in volume {volume:?}:");
    let mut named = 0;
    for file in files.iter().take(NAMES) {
        // Escaped: a line break in a name would begin a line of its own in somebody's terminal.
        let name = format!("{} {}", if named == 0 { "" } else { "," }, file.escape_debug());
        if text.len() + name.len() > LONGEST - REST {
            break;
        }
        text += &name;
        named += 1;
    }
    let _ = match (named, files.len() - named) {
        (_, 0) => Ok(()),
        (0, all) => write!(text, " {all} of long names"),
        (_, rest) => write!(text, " and {rest} more"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(files: impl IntoIterator<Item = String>) -> String {
        of("secrets", &files.into_iter().collect())
    }

    #[test]
    fn a_message_names_the_volume_and_the_files() {
        assert_eq!(
            message(["tls.key".into(), "tls.crt".into()]),
            r#"new content in volume "secrets": tls.crt, tls.key"#
        );
    }

    #[test]
    fn of_many_files_eight_are_named_and_the_rest_counted() {
        let told = message((0..20).map(|number| format!("f{number:02}")));
        assert_eq!(
            told,
            r#"new content in volume "secrets": f00, f01, f02, f03, f04, f05, f06, f07 and 12 more"#
        );
    }

    #[test]
    fn long_names_are_counted_where_there_is_no_room() {
        let told = message((0..9).map(|number| format!("{number}{}", "é".repeat(120))));
        assert!(told.len() <= LONGEST, "{}", told.len());
        assert!(
            told.starts_with(r#"new content in volume "secrets": 0é"#) && told.ends_with("é and 6 more"),
            "{told}"
        );
        assert_eq!(
            message([format!("a/{}", "b".repeat(4000))]),
            r#"new content in volume "secrets": 1 of long names"#
        );
    }

    #[test]
    fn a_name_cannot_begin_a_line_of_its_own() {
        assert_eq!(message(["a\nb\u{1b}[31m".into()]), r#"new content in volume "secrets": a\nb\u{1b}[31m"#);
    }
}
