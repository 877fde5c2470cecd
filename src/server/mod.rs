//! Everything between unix sockets and the gRPC service.

mod authority; // mends the `:authority` of drivers up to 1.5.6
mod connection; // one connection: HTTP/2 until the peer leaves or we drain
mod endpoint; // where a socket stands
mod guard; // deadlines in, forbidden codes and panics never out
mod socket; // binding without a window, and whose socket a path is
mod watch; // one socket kept ours for as long as we serve

pub use endpoint::{Endpoint, EndpointError};
pub use guard::Grpc;
pub use watch::{Sockets, State, clear_dead};
