//! Resource limits that the child sets for itself before it reads anything, so that a template can do no harm.

use std::fs;
use std::io;

use caps::CapSet;
use nix::sys::prctl::{set_dumpable, set_no_new_privs};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Bytes of data (RLIMIT_DATA). Not of address space, of which the program's own code takes a part that depends on the build; a process that
/// can open no file can map nothing else.
pub(crate) const MEMORY: u64 = 48 << 20;

/// Bytes of the stack: Linux's default, enough for chains of thousands of operators.
const STACK: u64 = 8 << 20;

/// Seconds of CPU time. At the next second the kernel kills the process.
pub(crate) const CPU_SECONDS: u64 = 1;

/// minijinja's fuel for one template. It is used up in a fraction of [`CPU_SECONDS`], and on every machine at the same instruction.
pub(crate) const STEPS: u64 = 500_000;

/// Bytes that all templates of a mount may write: the driver's limit for a volume.
pub(crate) const OUTPUT: usize = 4 << 20;

/// Sets the limits. The kernel does not apply RLIMIT_NPROC to root; it applies all others.
pub(crate) fn enter() -> io::Result<()> {
    prefer_for_oom_kill();
    set_no_new_privs()?;
    // With --writer=self the process has CAP_CHOWN, which works without a descriptor. Clearing the permitted set also clears the effective set.
    for set in [CapSet::Permitted, CapSet::Inheritable] {
        caps::clear(None, set).map_err(io::Error::other)?;
    }
    for (resource, most) in [
        (Resource::RLIMIT_DATA, MEMORY),
        (Resource::RLIMIT_STACK, STACK),
        (Resource::RLIMIT_CPU, CPU_SECONDS),
        (Resource::RLIMIT_FSIZE, 0),  // pipes are not files
        (Resource::RLIMIT_NOFILE, 0), // open descriptors stay open
        (Resource::RLIMIT_NPROC, 0),
        (Resource::RLIMIT_CORE, 0),
    ] {
        lower(resource, most)?;
    }
    Ok(())
}

/// Lowers a limit to `most`. Does not raise it, which only root may do.
fn lower(resource: Resource, most: u64) -> io::Result<()> {
    // RLIM_INFINITY is the largest number.
    let most = getrlimit(resource)?.1.min(most);
    Ok(setrlimit(resource, most, most)?)
}

/// Makes the kernel kill the child rather than the provider if the container runs out of memory. Best effort: the limits hold without it.
///
/// Only root may write the file of a process that is not dumpable, so the process is dumpable meanwhile. It has not read a secret yet.
fn prefer_for_oom_kill() {
    let _ = set_dumpable(true);
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    let _ = set_dumpable(false);
}
