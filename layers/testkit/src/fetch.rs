//! Servers of other projects that a test needs: looked for on the machine, or fetched once and kept
//! under `target/`.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

/// What pip installs only if its hash is one of those listed; the list follows.
pub(crate) const PINNED: [&str; 3] = ["--require-hashes", "--only-binary=:all:", "-r"];

/// The program of this name in `PATH`.
pub(crate) fn in_path(name: &str) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates = env::split_paths(&path).map(|directory| directory.join(name));
    candidates
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("no {name}"))
}

/// pip, with these arguments and more to come.
pub(crate) fn pip(args: &[&str]) -> Command {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]);
    pip.args(args);
    pip
}

/// A package of Debian, whose signature apt checks. It needs no root, as nothing is installed.
pub(crate) fn debian(name: &str, package: &str, binary: &str) -> Result<PathBuf, String> {
    unpacked(name, binary, |into| {
        let mut apt = Command::new("apt-get");
        run(apt.args(["--quiet", "download", package]).current_dir(into))?;
        run(Command::new("dpkg")
            .arg("-x")
            .arg(only_file(into, "deb")?)
            .arg(into))
    })
}

/// The file `binary` in what was unpacked once as `name` under `target/`; `unpack` does that.
///
/// Many processes may come here at once: each unpacks for itself, and the first one's stays.
pub(crate) fn unpacked(
    name: &str,
    binary: &str,
    unpack: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let place = target().join(name);
    if place.join(binary).is_file() {
        return Ok(place.join(binary));
    }
    let own = target().join(format!("{name}.{}", process::id()));
    fs::create_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
    let done = unpack(&own);
    if done.is_ok() {
        let _somebody_was_first = fs::rename(&own, &place);
    }
    let _moved_away = fs::remove_dir_all(&own);
    done.map(|()| place.join(binary))
}

pub(crate) fn only_file(directory: &Path, extension: &str) -> Result<PathBuf, String> {
    let entries = fs::read_dir(directory).map_err(|error| error.to_string())?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .find(|path| path.extension().is_some_and(|it| it == extension))
        .ok_or_else(|| format!("no .{extension} was fetched"))
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}", said.trim()))
}

/// The workspace's `target/`, where things that are fetched once may stay.
fn target() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    // cargo marks its target directory, wherever that is.
    let marked = |directory: &&Path| directory.join("CACHEDIR.TAG").exists();
    let found = program.ancestors().find(marked).map(Path::to_owned);
    found.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
}
