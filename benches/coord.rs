//! What coordination costs: `cargo bench --bench coord`.

use std::path::Path;
use ziggurat_benches::Figures;

mod coord {
    pub(crate) mod fan_out;
    pub(crate) mod instances;
    pub(crate) mod memory;
    pub(crate) mod snowflake;
    pub(crate) mod stores;
}

const PARTS: [&str; 4] = ["snowflake", "memory", "fan-out", "instances"];

fn main() {
    let mut figures = Figures::of_args(&PARTS);
    if figures.wants("snowflake") {
        coord::snowflake::rows(&mut figures);
    }
    if figures.wants("memory") {
        coord::memory::rows(&mut figures);
    }
    if figures.wants("fan-out") {
        coord::fan_out::rows(&mut figures);
    }
    if figures.wants("instances") {
        coord::instances::rows(&mut figures);
    }

    // Cargo names a folder inside the target directory, wherever that is.
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    figures.finish(&tmp.with_file_name("bench").join("coord.json"));
}
