//! A real Apache Kafka broker for the tests: one process in KRaft mode on loopback, brought up by the tests themselves.
//!
//! It needs Java 17 and Maven, which copies the broker's jars into a cache directory the first time. With
//! `KAFKA_BOOTSTRAP` set, [`Broker::shared`] uses that cluster instead. A small shell watches a pipe to this process
//! and kills the broker when the pipe closes, so none outlives its tests, however they end.
//! A second way in, [`Broker::wired`], leads through a network that a test can make slow, silent or cut; a third,
//! [`Broker::guarded`], asks who comes.
//! Read next: `broker/setup.rs` for jars and settings, `broker/wire.rs` for the network, `broker/guard.rs` for rights,
//! `broker/raw.rs` for what no client sends.

mod guard;
mod raw;
mod setup;
mod wire;

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use setup::{Node, Ports};
use tempfile::TempDir;
pub use wire::Network;

/// How often, 100 ms apart, a starting broker is asked whether it listens: recovery after a kill takes a while on a
/// busy machine.
const STARTING_CHECKS_MAX: u32 = 900;
/// Another process may take a free port before the broker does; then others are tried.
const PORT_TRIES_MAX: u32 = 3;

/// A broker: one of ours, or somebody's cluster.
pub struct Broker {
    bootstrap: String,
    own: Option<Own>,
}

/// How to come in by the guarded way.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// `host:port`.
    pub bootstrap: String,
    /// The only user there is.
    pub user: &'static str,
    /// That one's password.
    pub password: &'static str,
    /// PEM file of the broker's certificate.
    pub trusted: PathBuf,
}

/// The broker process and where it keeps its data.
struct Own {
    java: Mutex<Option<Child>>,
    /// Holds the pipe that keeps the broker alive; closed on drop.
    _watch: Watch,
    ports: Ports,
    folder: TempDir,
    jars: PathBuf,
}

impl Broker {
    /// The broker that all tests of this process share: started by the first who asks, or named by
    /// `KAFKA_BOOTSTRAP`. Tests that stop or kill a broker start their own.
    ///
    /// # Panics
    /// With the reason and what to install, if there can be none: a test must not pass because a broker was missing.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Broker> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var("KAFKA_BOOTSTRAP") {
            Ok(bootstrap) if !bootstrap.is_empty() => Self { bootstrap, own: None },
            _ => Self::start().unwrap_or_else(|error| panic!("{error}")),
        })
    }

    /// Starts a broker of its own, with an empty data directory.
    pub fn start() -> Result<Self, String> {
        Self::start_as(Node { id: 1, of: 1, controller: None, guarded: false })
    }

    /// Starts one that has a guarded way in.
    pub fn start_guarded() -> Result<Self, String> {
        Self::start_as(Node { id: 1, of: 1, controller: None, guarded: true })
    }

    /// Starts a cluster of brokers, each with a copy of everything; the first is also its controller.
    pub fn cluster(count: u32) -> Result<Vec<Self>, String> {
        let first = Self::start_as(Node { id: 1, of: count, controller: None, guarded: false })?;
        let controller = Some(first.own()?.ports.controller);
        let others = (2..=count).map(|id| Self::start_as(Node { id, of: count, controller, guarded: false }));
        std::iter::once(Ok(first)).chain(others).collect()
    }

    fn start_as(node: Node) -> Result<Self, String> {
        let jars = setup::jars()?;
        let mut last = String::new();
        for _ in 0..PORT_TRIES_MAX {
            match Own::start(node, &jars) {
                Ok(own) => return Ok(Self { bootstrap: format!("127.0.0.1:{}", own.ports.clients), own: Some(own) }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// `host:port` of the broker.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// `host:port` of the way in that leads through the network of [`Self::network`].
    ///
    /// # Panics
    /// If the broker is not ours.
    pub fn wired(&self) -> String {
        format!("127.0.0.1:{}", self.own().unwrap_or_else(|error| panic!("{error}")).ports.wire.port)
    }

    /// What becomes of bytes on the wired way.
    ///
    /// # Panics
    /// If the broker is not ours.
    pub fn network(&self, network: Network) {
        self.own().unwrap_or_else(|error| panic!("{error}")).ports.wire.set(network);
    }

    /// The way in that asks who comes: its address, user and password, and the file of the certificate to trust.
    ///
    /// # Panics
    /// If the broker is not ours.
    pub fn guarded(&self) -> Guarded {
        let own = self.own().unwrap_or_else(|error| panic!("{error}"));
        let (user, password) = guard::USER;
        let trusted = own.folder.path().join("trusted.pem");
        Guarded { bootstrap: format!("127.0.0.1:{}", own.ports.guarded), user, password, trusted }
    }

    /// Does what `kafka-acls.sh` would do with these arguments.
    pub fn grant(&self, arguments: &[&str]) -> Result<(), String> {
        guard::grant(("127.0.0.1", self.own()?.ports.clients), arguments)
    }

    /// Writes a record whose one header has a name that need not be a text.
    pub fn produce(&self, place: (&str, i32), value: &[u8], header: &[u8], time: i64) -> Result<(), String> {
        raw::produce(("127.0.0.1", self.own()?.ports.clients), place, value, header, time)
    }

    /// Ends it cleanly and waits for that. Clients see lost connections.
    pub fn stop(&self) -> Result<(), String> {
        self.own()?.end("-TERM")
    }

    /// Ends it with SIGKILL: what it had not written to the operating system is lost.
    pub fn kill(&self) -> Result<(), String> {
        self.own()?.end("-KILL")
    }

    /// Starts it again on the same data and port after [`Self::stop`] or [`Self::kill`].
    pub fn restart(&self) -> Result<(), String> {
        self.own()?.launch()
    }

    fn own(&self) -> Result<&Own, String> {
        self.own.as_ref().ok_or_else(|| format!("the broker at {} is not ours to disturb", self.bootstrap))
    }
}

impl Own {
    fn start(node: Node, jars: &Path) -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("chartwarden-kafka-")
            .tempdir()
            .map_err(|error| format!("a temporary directory for the broker: {error}"))?;
        let ports = setup::configure(folder.path(), node)?;
        setup::format(folder.path(), node, jars)?;
        let watch = Watch::start(folder.path())?;
        let own = Self { java: Mutex::default(), _watch: watch, ports, folder, jars: jars.to_owned() };
        own.launch()?;
        Ok(own)
    }

    fn launch(&self) -> Result<(), String> {
        let mut java = self.java.lock().unwrap_or_else(PoisonError::into_inner);
        if java.is_some() {
            return Err("the broker is running already".to_owned());
        }
        let output =
            File::create(self.folder.path().join("stdout.log")).map_err(|e| format!("the broker's log: {e}"))?;
        let errors = output.try_clone().map_err(|error| format!("the broker's log: {error}"))?;
        let mut child = setup::java(self.folder.path(), &self.jars)
            .arg("kafka.Kafka")
            .arg(self.folder.path().join("server.properties"))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(|error| format!("starting java: {error}"))?;
        fs::write(self.folder.path().join("pid"), child.id().to_string())
            .map_err(|error| format!("pid file: {error}"))?;
        for _ in 0..STARTING_CHECKS_MAX {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("the broker ended ({status}) while starting:\n{}", self.logs()));
            }
            if TcpStream::connect(("127.0.0.1", self.ports.clients)).is_ok() {
                *java = Some(child);
                return Ok(());
            }
            thread::sleep(Duration::from_millis(100));
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(format!("the broker does not listen on port {}:\n{}", self.ports.clients, self.logs()))
    }

    fn end(&self, signal: &str) -> Result<(), String> {
        let mut java = self.java.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = java.take().ok_or("the broker is not running")?;
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
        let waited = child.wait();
        let _ = fs::remove_file(self.folder.path().join("pid"));
        sent.and(waited).map(drop).map_err(|error| format!("ending the broker: {error}"))
    }

    fn logs(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        let text = read("stdout.log") + &read("broker.log");
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let running = self.java.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = running {
            let _ = child.kill();
            let _ = child.wait();
            let _ = fs::remove_file(self.folder.path().join("pid"));
        }
    }
}

/// A shell that outlives this process by a moment, to clean up after it.
struct Watch(Child);

impl Watch {
    fn start(folder: &Path) -> Result<Self, String> {
        // `cat` ends when the other end of the pipe is closed: by our drop, or by the end of this process.
        let script = r#"cat >/dev/null
            if [ -e "$1/pid" ]; then
                pid=$(cat "$1/pid"); kill -9 "$pid"
                for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
            fi
            rm -rf "$1""#;
        let child = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        child.map(Self).map_err(|error| format!("starting sh: {error}"))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
