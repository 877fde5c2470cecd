//! The content of a volume that vaultmount writes, whatever happens meanwhile. Each test has its own mount namespace,
//! so they need root.

mod attacks; // planted files and links
mod system_calls; // system calls of a writer
mod child; // a writer in its own process
mod unmount; // volumes that the driver unmounts
mod kills; // a writer that is killed before any system call
mod stale_generations; // generations that no link points to
mod node; // a kubelet's directory with volumes mounted in it
mod refusals; // paths that are no volume of the pod
mod ownership; // modes and owners
mod swaps; // old files or new ones, never a mix
mod takeover; // volumes that another writer wrote
mod inotify; // events of a watch
