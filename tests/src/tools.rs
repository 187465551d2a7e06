//! Other people's tools that the tests hold the product against: Python packages, a Go program, Prometheus.
//!
//! Each is fetched once into a cache folder through its own package client. What cannot be had fails the test and says
//! what to install; nothing passes because a tool was missing. Read next: `broker/setup.rs`, which does the same for
//! Kafka.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

/// One tool is fetched at a time in a process; other processes are kept apart by building aside and renaming.
static FETCHING: Mutex<()> = Mutex::new(());

/// A Python that has the packages of a `requirements.txt`.
///
/// # Panics
/// With what to install, if there is none.
pub fn python(requirements: &Path) -> PathBuf {
    let text = fs::read_to_string(requirements).unwrap_or_else(|e| panic!("{}: {e}", requirements.display()));
    // The pins name the folder: other pins, another environment.
    let name: String = text.lines().map(|line| line.trim().replace("==", "-") + "_").collect();
    let folder = cached(&format!("python-{}", name.trim_end_matches('_')), |aside| {
        let needs = "the tests need Python 3.10 or newer with venv and pip: `apt-get install python3-venv`";
        run(Command::new("python3").args(["-m", "venv"]).arg(aside), needs)?;
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(Command::new(aside.join("bin/python")).args(quiet).arg(requirements), needs)
    });
    folder.join("bin/python")
}

/// The program built from a folder of Go files.
///
/// # Panics
/// With what to install, if it cannot be built.
pub fn go(source: &Path) -> PathBuf {
    let _guard = FETCHING.lock();
    let folder = cache();
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let program = folder.join(source.file_name().unwrap_or_default());
    let needs = "the tests need Go 1.26 or newer, on PATH as `go`";
    // Go keeps its own build cache: an unchanged program costs nothing, a changed one is never stale.
    let built = run(Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source), needs);
    built.unwrap_or_else(|error| panic!("{error}"));
    program
}

/// Prometheus and its checker.
#[derive(Clone, Debug)]
pub struct Prometheus {
    /// The server.
    pub server: PathBuf,
    /// `promtool`.
    pub tool: PathBuf,
}

/// Prometheus: the installed one, or Debian's package unpacked into the cache, which installs nothing.
///
/// # Panics
/// With what to install, if neither is to be had.
pub fn prometheus() -> Prometheus {
    let installed = |name: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
    };
    if let (Some(server), Some(tool)) = (installed("prometheus"), installed("promtool")) {
        return Prometheus { server, tool };
    }
    let needs = "the tests need Prometheus 2.42 or newer, `prometheus` and `promtool` on PATH: \
        `apt-get install prometheus`";
    let folder = cached("prometheus", |aside| {
        fs::create_dir_all(aside).map_err(|error| error.to_string())?;
        let mut download = Command::new("apt-get");
        download.args(["download", "prometheus"]).current_dir(aside);
        if run(&mut download, needs).is_err() {
            // A fresh machine has no lists of packages yet.
            run(Command::new("apt-get").arg("update"), needs)?;
            run(&mut download, needs)?;
        }
        let package = fs::read_dir(aside).map_err(|error| error.to_string())?.flatten().map(|entry| entry.path());
        let package = package.into_iter().find(|path| path.extension().is_some_and(|end| end == "deb")).ok_or(needs)?;
        run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(aside), needs)?;
        fs::remove_file(&package).map_err(|error| error.to_string())
    });
    Prometheus { server: folder.join("usr/bin/prometheus"), tool: folder.join("usr/bin/promtool") }
}

/// What a tool printed, both streams after each other, and whether it said yes.
///
/// # Panics
/// If it cannot be started.
pub fn ask(command: &mut Command) -> (bool, String) {
    let output = output(command).unwrap_or_else(|error| panic!("{error}"));
    (output.status.success(), told(&output))
}

/// A folder of the cache, filled aside and renamed when complete: a broken fetch leaves nothing behind.
fn cached(name: &str, fill: impl Fn(&Path) -> Result<(), String>) -> PathBuf {
    let _guard = FETCHING.lock();
    let folder = cache().join(name);
    if folder.exists() {
        return folder;
    }
    let filled = (|| {
        fs::create_dir_all(cache()).map_err(|error| format!("{}: {error}", cache().display()))?;
        let aside = tempfile::tempdir_in(cache()).map_err(|error| format!("{}: {error}", cache().display()))?;
        let inner = aside.path().join("filled");
        fill(&inner)?;
        match fs::rename(&inner, &folder) {
            Err(error) if !folder.exists() => Err(format!("{}: {error}", folder.display())),
            // Another process was faster: its folder is as good.
            _ => Ok(()),
        }
    })();
    filled.unwrap_or_else(|error: String| panic!("{error}"));
    folder
}

fn cache() -> PathBuf {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home).unwrap_or_else(std::env::temp_dir);
    cache.join("chartwarden")
}

fn run(command: &mut Command, needs: &str) -> Result<(), String> {
    let output = output(command).map_err(|error| format!("{needs}\n{error}"))?;
    if output.status.success() { Ok(()) } else { Err(format!("{needs}\n{command:?}:\n{}", told(&output))) }
}

fn output(command: &mut Command) -> Result<Output, String> {
    command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
