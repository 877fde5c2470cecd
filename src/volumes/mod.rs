//! What the volumes of this node hold, and when they end.

pub mod mountinfo;
pub mod presence;
