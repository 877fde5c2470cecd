//! What stays in memory between mounts: issued credentials, last known good content, rendered templates.

pub(crate) mod issued; // certificates, leased credentials and responses of writes
pub(crate) mod last_known_good; // the last complete content of a volume
pub(crate) mod rendered; // rendered templates

pub(crate) use rendered::RenderedCache;
