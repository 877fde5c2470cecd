//! What is kept between mounts: issued credentials, last known good content, rendered templates.

pub mod issued; // what was made and is still of use
pub mod last_known_good; // the last content that was whole
pub mod rendered; // what came of templates

pub use rendered::RenderedCache;
