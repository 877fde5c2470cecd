//! What the child takes from itself before it reads anything: a template can then do no more than fail.

use std::fs;
use std::io;

use caps::CapSet;
use nix::sys::prctl::{set_dumpable, set_no_new_privs};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Bytes that may be allocated. Not the address space, of which the program's own code takes a share that its build decides;
/// a process without descriptors can map nothing else.
pub(crate) const MEMORY: u64 = 48 << 20;

/// Bytes of the stack, the usual size: chains of thousands of operators fit.
const STACK: u64 = 8 << 20;

/// Seconds of one core; the kernel ends the process at the next.
pub(crate) const CPU_SECONDS: u64 = 1;

/// Steps of the engine for one template: reached in a fraction of [`CPU_SECONDS`], and everywhere at the same step.
pub(crate) const STEPS: u64 = 500_000;

/// Bytes that all templates of a mount may write; the driver's limit for a volume.
pub(crate) const OUTPUT: usize = 4 << 20;

/// Enters the limits. The kernel applies none of them to root's `Nproc`, all others to everyone.
pub(crate) fn enter() -> io::Result<()> {
    first_to_go();
    set_no_new_privs()?;
    // Where volumes are ours to write the process may give files away, which takes no descriptor.
    // With the permitted ones the effective ones go too.
    for set in [CapSet::Permitted, CapSet::Inheritable] {
        caps::clear(None, set).map_err(io::Error::other)?;
    }
    for (resource, most) in [
        (Resource::RLIMIT_DATA, MEMORY),
        (Resource::RLIMIT_STACK, STACK),
        (Resource::RLIMIT_CPU, CPU_SECONDS),
        (Resource::RLIMIT_FSIZE, 0),  // pipes are not files
        (Resource::RLIMIT_NOFILE, 0), // what is open stays so
        (Resource::RLIMIT_NPROC, 0),
        (Resource::RLIMIT_CORE, 0),
    ] {
        lower(resource, most)?;
    }
    Ok(())
}

/// Never above what the process was started with, which only root may raise.
fn lower(resource: Resource, most: u64) -> io::Result<()> {
    // A resource without a limit has the largest number.
    let most = getrlimit(resource)?.1.min(most);
    Ok(setrlimit(resource, most, most)?)
}

/// When the container runs out of memory, the kernel is to end the child and not the provider. Best effort: the
/// limits hold without it.
///
/// A process that cannot be dumped may not write here unless it is root's; no secret was read yet.
fn first_to_go() {
    let _ = set_dumpable(true);
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    let _ = set_dumpable(false);
}
