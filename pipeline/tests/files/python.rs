//! Python with packages that read what was written.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the tests need from PyPI.
const PACKAGES: [&str; 3] = ["duckdb", "hdrhistogram", "yacryptopan"];

/// An interpreter that has `package`; `None`, and said so, where there is none.
pub(crate) fn with(package: &str) -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-for-files");
    fs::create_dir_all(&home).unwrap();
    // Tests run side by side; one of them installs.
    let lock = File::create(home.join("lock")).unwrap();
    lock.lock().unwrap();
    let python = home.join("venv/bin/python");
    let tried = home.join("tried");
    if !tried.exists() {
        let made = quiet(Command::new("python3").args(["-m", "venv"]).arg(home.join("venv")));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        if made {
            // One that cannot be had must not keep the others away.
            for package in PACKAGES {
                quiet(Command::new(&python).args(pip).arg(package));
            }
        }
        fs::write(&tried, "").unwrap();
    }
    let module = if package == "hdrhistogram" { "hdrh" } else { package };
    let there = quiet(Command::new(&python).args(["-c", &format!("import {module}")]));
    if !there {
        println!("skipped: no Python with the package {package} could be installed");
        // Another time there may be a network.
        fs::remove_file(&tried).unwrap();
        return None;
    }
    Some(python)
}

fn quiet(command: &mut Command) -> bool {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What a script prints, run in `folder`.
#[track_caller]
pub(crate) fn run(python: &Path, folder: &Path, script: &str) -> String {
    let mut child = Command::new(python)
        .arg("-")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}");
    String::from_utf8(output.stdout).unwrap()
}
