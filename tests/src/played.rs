//! A small demo of the real binary: looked at while it runs, read afterwards.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::binary::Process;

/// Looks, 50 ms apart, within which a small demo must have ended.
const LOOKS_MAX: u32 = 12_000;

/// A house of the usual size, for as long as it takes that cases open: baselines are learnt for two weeks first.
pub const SHORT: [&str; 4] = ["--days", "17", "--incidents", "60"];

/// What a demo left behind.
pub struct Played {
    folder: TempDir,
    /// Every series at the last scrape before the end, over HTTP.
    pub scraped: String,
}

impl Played {
    /// Plays a demo that serves HTTP on `address` and must end with `code`.
    ///
    /// # Panics
    /// With what it printed, if it did not.
    pub fn play(address: &str, arguments: &[&str], code: i32) -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a temporary folder: {error}"));
        let data = folder.path().join("demo");
        let shown = data.display().to_string();
        let fixed = ["demo", "--plain", "--data", &shown, "--http", address];
        let mut demo = Process::start(&[&fixed[..], arguments].concat(), &folder.path().join("demo.log"));
        let mut scraped = String::new();
        let mut looks = 0;
        let status = loop {
            if let Some(text) = get(address, "/metrics") {
                scraped = text;
            }
            if let Some(status) = demo.ended() {
                break status;
            }
            looks += 1;
            assert!(looks < LOOKS_MAX, "the demo goes on:\n{}", demo.log());
            std::thread::sleep(Duration::from_millis(50));
        };
        assert_eq!(status.code(), Some(code), "{}", demo.log());
        assert!(!scraped.is_empty(), "nothing answered on {address}:\n{}", demo.log());
        Self { folder, scraped }
    }

    /// The demo's folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("demo")
    }

    /// What it printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("demo.log")).unwrap_or_default()
    }

    /// A copy of ledger, key and receipts, for a test that spoils it.
    ///
    /// # Panics
    /// If it cannot be copied.
    pub fn ledger_copy(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a temporary folder: {error}"));
        for name in ["ledger", "log.vkey", "receipts"] {
            let copied = Command::new("cp").arg("-r").arg(self.data().join(name)).arg(folder.path()).status();
            assert!(copied.is_ok_and(|status| status.success()), "copying `{name}`");
        }
        folder
    }
}

/// An address on loopback that nobody listens on just now.
pub fn free_address() -> String {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address.unwrap_or_else(|error| panic!("a free port: {error}")).to_string()
}

/// The body of a page that answered 200.
pub fn get(address: &str, path: &str) -> Option<String> {
    let answer = ask(address, path, "")?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.0 200").then(|| body.to_owned())
}

/// The whole answer to a request, head and body; `header` is a line of its own, or empty.
pub fn ask(address: &str, path: &str, header: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    // HTTP/1.0: the body comes in one piece and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n{header}\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Every file below a folder, in order.
///
/// # Panics
/// If a folder cannot be read.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
