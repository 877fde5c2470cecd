//! The tables between the marks of a document. The text around them is written by hand.

use std::fs;
use std::path::Path;

/// Before the tables.
const BEGIN: &str = "<!-- measured: written by `make bench` -->\n";

/// After the tables.
const END: &str = "<!-- end of measured -->";

/// Puts `tables` into the document at `path`.
pub(crate) fn write(path: &Path, tables: &str) {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let text = replaced(&text, tables)
        .unwrap_or_else(|| panic!("{}: no line {BEGIN:?} before one {END:?}", path.display()));
    fs::write(path, text).unwrap();
}

fn replaced(text: &str, tables: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{tables}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_between_the_marks_changes() {
        let text = |tables: &str| format!("# Performance\n\n{BEGIN}{tables}{END}\n\nand more\n");
        assert_eq!(replaced(&text("old\n"), "new\n"), Some(text("new\n")));
        assert_eq!(replaced("no marks", "new"), None);
    }
}
