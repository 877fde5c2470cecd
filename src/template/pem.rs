//! The blocks of a PEM text (RFC 7468). They are cut out, not read: what stands inside is for others to judge.

/// One block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// `CERTIFICATE`, `PRIVATE KEY`.
    pub(crate) label: &'a str,
    /// Both boundaries included; every line ends with a line feed, the last one too, so that blocks can stand behind each other.
    pub(crate) text: String,
}

/// All whole blocks, in their order. What stands between them is passed over, and so is a block that never ends.
pub(crate) fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in text.lines().map(str::trim_end) {
        if let Some(label) = boundary(line, "BEGIN") {
            open = Some(Block { label, text: String::new() });
        }
        let Some(block) = &mut open else { continue };
        block.text.extend([line, "\n"]);
        if boundary(line, "END") == Some(block.label) {
            blocks.extend(open.take());
        }
    }
    blocks
}

/// The label of a line `-----<kind> <label>-----`.
fn boundary<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    line.strip_prefix("-----")?.strip_prefix(kind)?.strip_prefix(' ')?.strip_suffix("-----")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cut_out_of_whatever_surrounds_them() {
        let text = "subject=a\r\n-----BEGIN A-----\r\nAA==\r\n-----END A-----\n\n-----BEGIN B KEY-----\nBB==\n-----END B KEY-----";
        let found = blocks(text);
        assert_eq!(found[0], Block { label: "A", text: "-----BEGIN A-----\nAA==\n-----END A-----\n".into() });
        assert_eq!(
            found[1],
            Block { label: "B KEY", text: "-----BEGIN B KEY-----\nBB==\n-----END B KEY-----\n".into() }
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_block_that_does_not_end_is_none_and_swallows_no_other() {
        assert_eq!(blocks("-----BEGIN A-----\nAA==\n"), []);
        let found =
            blocks("-----BEGIN A-----\nAA==\n-----BEGIN B-----\nBB==\n-----END A-----\n-----END B-----\n");
        assert_eq!((found.len(), found[0].label), (1, "B"));
        assert!(blocks("-----END A-----\n-----BEGIN -----\n----- BEGIN A-----\n").is_empty());
    }
}
