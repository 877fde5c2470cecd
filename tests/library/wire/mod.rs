//! The gRPC server at its sockets, as a driver sees it.

mod codes; // no response starts a pod on an empty volume
mod drain; // the end of the process
mod fake; // the service behind the sockets, and its clients
mod frames; // raw HTTP/2 of drivers up to 1.5.6
mod sockets; // modes, uids of peers, stale and replaced sockets
