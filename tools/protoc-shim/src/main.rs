//! As much of protoc as `prost-build` uses: it reads proto files and writes a descriptor set.

mod args;

use args::{Args, Job};
use std::{error::Error, fs, process::ExitCode};

fn main() -> ExitCode {
    match Args::parse(std::env::args().skip(1))
        .map_err(Into::into)
        .and_then(run)
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("protoc-shim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let job = match args {
        Args::Version => {
            // prost-build asks for 3.15 or newer in this form.
            println!("libprotoc 25.0");
            return Ok(());
        }
        Args::Compile(job) => job,
    };
    let Job {
        includes,
        protos,
        output,
        imports,
        source_info,
    } = job;
    let mut compiler = protox::Compiler::new(includes)?;
    compiler
        .include_imports(imports)
        .include_source_info(source_info);
    compiler.open_files(protos)?;
    fs::write(output, compiler.encode_file_descriptor_set())?;
    Ok(())
}
