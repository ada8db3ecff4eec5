//! The part of protoc's command line that `prost-build` writes.

use std::path::PathBuf;

/// What is asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum Args {
    Version,
    Compile(Job),
}

/// Read these files, write their descriptors.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Job {
    pub(crate) includes: Vec<PathBuf>,
    pub(crate) protos: Vec<PathBuf>,
    pub(crate) output: PathBuf,
    pub(crate) imports: bool,
    pub(crate) source_info: bool,
}

// === impl Args ===

impl Args {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut job = Job::default();
        while let Some(arg) = args.next() {
            let mut value = |flag: &str| args.next().ok_or(format!("{flag} needs a value"));
            let (name, joined) = arg.split_once('=').unzip();
            match (name.unwrap_or(&arg), joined) {
                ("--version", _) => return Ok(Self::Version),
                ("-I" | "--proto_path", Some(path)) => job.includes.push(path.into()),
                ("-I" | "--proto_path", None) => job.includes.push(value(&arg)?.into()),
                ("-o" | "--descriptor_set_out", Some(path)) => job.output = path.into(),
                ("-o" | "--descriptor_set_out", None) => job.output = value(&arg)?.into(),
                ("--include_imports", _) => job.imports = true,
                ("--include_source_info", _) => job.source_info = true,
                // Everything that it allows is always allowed here.
                ("--experimental_allow_proto3_optional", _) => {}
                _ if arg.starts_with("-I") => job.includes.push(arg[2..].into()),
                // A flag with an effect that we do not have must not seem to have it.
                _ if arg.starts_with('-') => return Err(format!("unknown flag {arg}")),
                _ => job.protos.push(arg.into()),
            }
        }
        if job.output.as_os_str().is_empty() {
            return Err("no --descriptor_set_out: this is not all of protoc".to_owned());
        }
        Ok(Self::Compile(job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn what_prost_build_writes_is_understood() {
        let line =
            "--include_imports --include_source_info -o out -I proto -Iextra a.proto b.proto";
        let job = Job {
            includes: vec!["proto".into(), "extra".into()],
            protos: vec!["a.proto".into(), "b.proto".into()],
            output: "out".into(),
            imports: true,
            source_info: true,
        };
        assert_eq!(parse(line), Ok(Args::Compile(job)));
        assert_eq!(parse("--version"), Ok(Args::Version));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(
            parse("-o out --rust_out=. a.proto")
                .unwrap_err()
                .contains("--rust_out")
        );
        assert!(parse("-o").unwrap_err().contains("-o"));
        assert!(
            parse("a.proto")
                .unwrap_err()
                .contains("--descriptor_set_out")
        );
    }
}
