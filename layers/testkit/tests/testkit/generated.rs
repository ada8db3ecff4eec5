//! The committed code is what `proto/echo.proto` says. `ZIGGURAT_REGENERATE=1` rewrites it.

use std::{env, fs, path::Path};

#[test]
fn the_committed_code_is_what_the_proto_generates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = root.join("src/proto/echo.v1.rs");
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("echo");
    fs::create_dir_all(&out).unwrap();

    let descriptors = protox::compile(["echo.proto"], [root.join("proto")]).unwrap();
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".")
        .out_dir(&out)
        .compile_fds(descriptors)
        .unwrap();
    let fresh = fs::read_to_string(out.join("echo.v1.rs")).unwrap();

    if env::var_os("ZIGGURAT_REGENERATE").is_some() {
        fs::write(&committed, &fresh).unwrap();
    }
    assert!(
        fs::read_to_string(&committed).unwrap() == fresh,
        "{} is stale: run this test with ZIGGURAT_REGENERATE=1",
        committed.display()
    );
}
