//! Jars, settings and data directory of the test broker.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::guard;
use super::wire::Wire;
use crate::jars::run;

const POM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kafka/pom.xml");
/// The version in `kafka/pom.xml`; it names the cache directory.
const VERSION: &str = "4.4.0";
/// Any 16 bytes in URL-safe base64.
const CLUSTER_ID: &str = "Y2hhcnR3YXJkZW4tdGVzdA";

/// The directory that holds the broker's jars: `CHARTWARDEN_KAFKA_JARS`, or a cache that is filled here.
pub(super) fn jars() -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os("CHARTWARDEN_KAFKA_JARS") {
        return Ok(PathBuf::from(given));
    }
    crate::jars::jars(Path::new(POM), &format!("kafka-{VERSION}"))
}

/// A broker's place in its cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) id: u32,
    /// Brokers of the cluster; each keeps a copy of everything.
    pub(super) of: u32,
    /// Port of the controller, which the first broker is itself.
    pub(super) controller: Option<u16>,
    /// Whether there is a guarded way in.
    pub(super) guarded: bool,
}

/// Where a broker is reached.
pub(super) struct Ports {
    pub(super) clients: u16,
    pub(super) wire: Wire,
    pub(super) controller: u16,
    /// Where nobody listens unless the node is guarded.
    pub(super) guarded: u16,
}

/// Writes the broker's settings for free ports.
pub(super) fn configure(folder: &Path, node: Node) -> Result<Ports, String> {
    let free = || TcpListener::bind("127.0.0.1:0");
    let ports = || -> std::io::Result<[u16; 4]> {
        let taken = [free()?, free()?, free()?, free()?];
        let mut ports = [0; 4];
        for (port, taken) in ports.iter_mut().zip(&taken) {
            *port = taken.local_addr()?.port();
        }
        Ok(ports)
    };
    let [port, free, wired, guarded] = ports().map_err(|error| format!("finding free ports: {error}"))?;
    let wire = Wire::start(wired).map_err(|error| format!("listening for the broker: {error}"))?;
    let (outside, controller) = (wire.port, node.controller.unwrap_or(free));
    let (roles, mut listener) = match node.controller {
        None => ("broker,controller", format!(",CONTROLLER://127.0.0.1:{controller}")),
        Some(_) => ("broker", String::new()),
    };
    let mut further = String::new();
    if node.guarded {
        guard::certify(folder)?;
        listener += &format!(",GUARDED://127.0.0.1:{guarded}");
        further = guard::settings(folder);
    }
    let (id, copies, in_sync) = (node.id, node.of, node.of.min(2));
    let shown = folder.display();
    let settings = format!(
        "process.roles={roles}
node.id={id}
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},WIRED://127.0.0.1:{wired}{listener}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},WIRED://127.0.0.1:{outside}{listener}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,WIRED:PLAINTEXT,GUARDED:SASL_SSL
log.dirs={shown}/logs
auto.create.topics.enable=false
default.replication.factor={copies}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=2
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.backoff.ms=500
log.cleaner.dedupe.buffer.size=8388608
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
{further}"
    );
    let logging = format!(
        "rootLogger.level=WARN
rootLogger.appenderRef.file.ref=file
appender.file.type=File
appender.file.name=file
appender.file.fileName={shown}/broker.log
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d %p %c: %m%n
"
    );
    fs::write(folder.join("server.properties"), settings)
        .and_then(|()| fs::write(folder.join("log4j2.properties"), logging))
        .map_err(|error| format!("{shown}: {error}"))?;
    Ok(Ports { clients: port, wire, controller, guarded })
}

/// Prepares an empty data directory.
pub(super) fn format(folder: &Path, node: Node, jars: &Path) -> Result<(), String> {
    let mut tool = java(folder, jars);
    tool.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(folder.join("server.properties"));
    if node.controller.is_none() {
        tool.arg("--standalone");
    }
    if node.guarded {
        tool.args(guard::scram());
    }
    run(&mut tool)
}

/// A java that is about to run something of the broker's.
pub(super) fn java(folder: &Path, jars: &Path) -> Command {
    let mut java = Command::new("java");
    java.args(["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC"])
        .arg(format!("-Dlog4j2.configurationFile={}/log4j2.properties", folder.display()))
        .arg("-cp")
        .arg(jars.join("*"));
    java
}
