//! Go's spelling of flags: one dash or two, and no command before them.

use std::ffi::OsString;

/// Arguments as clap parses them: `-debug` becomes `--debug`, and `serve` is inserted before a first flag or if there is no argument.
pub(crate) fn normalised(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut normalised: Vec<_> = arguments.next().into_iter().collect();
    let mut rest: Vec<_> = arguments.collect();
    if rest.first().is_none_or(|first| is_flag(first) && !is_help(first)) {
        normalised.push("serve".into());
    }
    // Go stops parsing at `--`; so does clap.
    let flags = rest.iter().position(|argument| argument == "--").unwrap_or(rest.len());
    rest[..flags].iter_mut().filter(|argument| has_one_dash(argument)).for_each(|argument| {
        let mut two_dashes = OsString::from("-");
        two_dashes.push(&*argument);
        *argument = two_dashes;
    });
    normalised.extend(rest);
    normalised
}

fn is_flag(argument: &OsString) -> bool {
    argument.as_encoded_bytes().starts_with(b"-")
}

fn is_help(argument: &OsString) -> bool {
    argument.to_str().is_some_and(|argument| matches!(argument, "-h" | "-help" | "--help"))
}

/// True for `-name`: one dash and at least two characters, so not for `-h` and not for a value such as `-10`.
fn has_one_dash(argument: &OsString) -> bool {
    matches!(argument.as_encoded_bytes(), [b'-', first, second, ..] if first.is_ascii_alphabetic() && *second != b'=')
}
