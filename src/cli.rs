//! Flags and environment -> Settings.
