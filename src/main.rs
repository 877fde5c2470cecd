//! The `vaultmount` binary; see `run.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    vaultmount::main()
}
