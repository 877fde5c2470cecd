//! The server at the wire: what a driver sees of our sockets, whatever happens behind them.

mod codes; // no answer starts a pod on an empty volume
mod drain; // the end of the process
mod fake; // the service behind the sockets, and its clients
mod frames; // HTTP/2 by hand: drivers up to 1.5.6
mod sockets; // modes, peers, stale and stolen sockets
