//! What a pod finds in a volume that we write ourselves, whatever happens to it meanwhile; in a mount namespace of each test's own,
//! so as root.

mod attacks; // what others put in our way
mod calls; // what a writer asks of the system
mod child; // a writer in a process of its own
mod ending; // volumes that the driver unmounts
mod kills; // a writer that is killed, anywhere
mod leftovers; // what nothing leads to any more
mod node; // a kubelet's directory with volumes mounted in it
mod refusals; // what is no volume of the pod
mod rights; // modes and owners
mod swaps; // old files or new ones, never a mix
mod takeover; // volumes that somebody else wrote
mod watchers; // what inotify tells of it
