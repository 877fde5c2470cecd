//! Compiles `proto/service.proto` without a system protoc.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto/service.proto");
    let files = protox::compile(["proto/service.proto"], ["proto"])?;
    tonic_prost_build::configure()
        // These messages carry secrets, so they must not be printable.
        .skip_debug(["v1alpha1.MountRequest", "v1alpha1.MountResponse", "v1alpha1.File"])
        .compile_fds(files)?;
    Ok(())
}
