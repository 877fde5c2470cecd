//! The programs that read our files and decide what they mean.

use std::io::Write;
use std::process::{Command, Stdio};

/// Output of `program` for `input`. Fails if the program is missing.
pub(crate) fn tool(program: &str, arguments: &[&str], input: &[u8]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{program} cannot be started, and is needed here: {error}"));
    // A program may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let output_text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {output_text}");
    String::from_utf8(output.stdout).unwrap()
}
