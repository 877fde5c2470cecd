//! A developer at a terminal, with a token, a home directory and files.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::support::canary::assert_silent;
use crate::support::*;

/// A developer with a token, a home directory and files.
pub(super) struct Developer {
    pub(super) address: String,
    pub(super) token: String,
    pub(super) home: TempDir,
}

impl Developer {
    pub(super) fn new(vault: &Vault, token: &str) -> Self {
        Self { address: vault.address(), token: token.into(), home: TempDir::new().unwrap() }
    }

    /// A developer who may use every key of the engine `transit`, which has the key `default`.
    pub(super) async fn with_transit(vault: &Vault) -> Self {
        vault.enable("transit", "transit", json!({})).await;
        vault.write("transit/keys/default", json!({})).await;
        Self::new(vault, &token(vault, "developer", "*").await)
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vaultmount"));
        command.arg("s5").args(arguments).env_clear().current_dir(self.home.path());
        command
            .env("VAULT_ADDR", &self.address)
            .env("VAULT_TOKEN", &self.token)
            .env("HOME", self.home.path());
        command
    }

    /// Output of the tool, which must succeed.
    pub(super) fn s5(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        succeeded(run(self.command(arguments), input))
    }

    /// Error output of the tool, which must fail without other output.
    pub(super) fn refused(&self, arguments: &[&str], input: &[u8]) -> String {
        error_of(run(self.command(arguments), input))
    }

    pub(super) fn cipher(&self, text: &[u8]) -> String {
        String::from_utf8(self.s5(&["cipher"], text)).unwrap()
    }

    pub(super) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(super) fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .home
            .path()
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub(super) fn run(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

pub(super) fn succeeded(output: Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub(super) fn error_of(output: Output) -> String {
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{text}");
    assert_silent("stderr", &text, &[]);
    text
}

/// A token that may make `calls` below `transit/` and nothing else.
pub(super) async fn token(vault: &Vault, policy: &str, calls: &str) -> String {
    let rules = format!("path \"transit/{calls}\" {{ capabilities = [\"update\"] }}");
    vault.write(&format!("sys/policies/acl/{policy}"), json!({ "policy": rules })).await;
    let answer = vault.write("auth/token/create", json!({ "policies": [policy] })).await;
    answer["auth"]["client_token"].as_str().unwrap().to_owned()
}
