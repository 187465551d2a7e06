//! The `chartwarden` binary, driven as its users drive it: another process, flags, signals, exit codes.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How often, 50 ms apart, a process is asked whether it has ended.
const END_CHECKS_MAX: u32 = 2_400;

/// The binary that was built with these tests.
///
/// # Panics
/// If it is not there: `cargo test --workspace` builds it, a test of one package alone does not.
pub fn chartwarden() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_else(|error| panic!("where this test stands: {error}"));
    let folder = test.parent().and_then(Path::parent);
    let binary = folder.map(|folder| folder.join("chartwarden")).filter(|binary| binary.exists());
    binary.unwrap_or_else(|| panic!("no `chartwarden` beside `{}`: run `cargo test --workspace`", test.display()))
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ended {
    /// Itself, if it ended with `code`.
    ///
    /// # Panics
    /// With everything it printed, if it did not.
    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        self
    }
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str]) -> Ended {
    let output = Command::new(chartwarden())
        .args(arguments)
        .env_remove("KAFKA_BOOTSTRAP")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("starting chartwarden: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// The binary running beside the test; killed when dropped.
pub struct Process {
    child: Child,
    /// Writes down what it prints, so that no limit on its files concerns that.
    scribe: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; what it prints goes to `log`, behind what stands there.
    pub fn start(arguments: &[&str], log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log);
        let file = file.unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let scribe = Command::new("cat").stdin(Stdio::piped()).stdout(file).spawn();
        let mut scribe = scribe.unwrap_or_else(|error| panic!("starting cat: {error}"));
        let out = scribe.stdin.take().map(OwnedFd::from).unwrap_or_else(|| panic!("cat has no standard input"));
        let err = out.try_clone().unwrap_or_else(|error| panic!("standard error: {error}"));
        // A file that may not grow is to answer with an error, as a full disk does, and not with a signal.
        let child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
            .arg(chartwarden())
            .args(arguments)
            .env_remove("KAFKA_BOOTSTRAP")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| panic!("starting chartwarden: {error}"));
        Self { child, scribe, log: log.to_path_buf() }
    }

    /// Sends a signal, as in `-STOP`.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill {signal}");
    }

    /// How large a file may become by its writing, from now on.
    pub fn file_bytes_max(&self, bytes: Option<u64>) {
        let limit = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let (pid, fsize) = (self.child.id().to_string(), format!("--fsize={limit}:unlimited"));
        let set = Command::new("prlimit").args(["--pid", &pid, &fsize]).status();
        assert!(set.is_ok_and(|status| status.success()), "prlimit {fsize}");
    }

    /// Kills it where it stands.
    pub fn kill(&mut self) {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.unwrap_or_else(|error| panic!("killing chartwarden: {error}"));
    }

    /// Whether it has ended by itself, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let ended = self.child.try_wait().unwrap_or_else(|error| panic!("asking for chartwarden: {error}"));
        if ended.is_some() {
            let _ = self.scribe.wait();
        }
        ended
    }

    /// Waits for its end, at most two minutes.
    ///
    /// # Panics
    /// With its log, if it goes on.
    pub fn wait(&mut self) -> ExitStatus {
        for _ in 0..END_CHECKS_MAX {
            if let Some(status) = self.ended() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("chartwarden goes on:\n{}", self.log());
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        let mut text = String::new();
        let read = File::open(&self.log).and_then(|mut file| file.read_to_string(&mut text));
        read.map_or_else(|error| error.to_string(), |_| text)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.scribe.wait();
    }
}
