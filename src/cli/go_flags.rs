//! Go's spelling of flags: one dash or two, and no command in front.

use std::ffi::OsString;

/// Arguments as clap reads them: `-debug` becomes `--debug`, and `serve` stands first when a flag does or nothing.
pub(crate) fn normalised(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter();
    let mut normal: Vec<_> = arguments.next().into_iter().collect();
    let mut rest: Vec<_> = arguments.collect();
    if rest.first().is_none_or(|first| is_flag(first) && !is_help(first)) {
        normal.push("serve".into());
    }
    // Go stops at `--`; so does clap.
    let flags = rest.iter().position(|argument| argument == "--").unwrap_or(rest.len());
    rest[..flags].iter_mut().filter(|argument| is_short(argument)).for_each(|argument| {
        let mut two = OsString::from("-");
        two.push(&*argument);
        *argument = two;
    });
    normal.extend(rest);
    normal
}

fn is_flag(argument: &OsString) -> bool {
    argument.as_encoded_bytes().starts_with(b"-")
}

fn is_help(argument: &OsString) -> bool {
    argument.to_str().is_some_and(|argument| matches!(argument, "-h" | "-help" | "--help"))
}

/// True for `-name`: one dash and at least two letters, so that neither `-h` nor a value such as `-10` is meant.
fn is_short(argument: &OsString) -> bool {
    matches!(argument.as_encoded_bytes(), [b'-', first, second, ..] if first.is_ascii_alphabetic() && *second != b'=')
}
