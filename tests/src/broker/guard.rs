//! A guarded way into the broker: TLS with a certificate of the broker's own, SCRAM, and rights (ACLs).
//!
//! Rights are given over the unguarded way, where whoever comes may do everything.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::raw::Request;
use crate::jars::run;

/// Who may come in, and with which password.
pub(super) const USER: (&str, &str) = ("chartwarden", "not a secret here");
const KEYSTORE_PASSWORD: &str = "not a secret either";

/// Makes the certificate; it is what clients must trust.
pub(super) fn certify(folder: &Path) -> Result<PathBuf, String> {
    let (store, trusted) = (folder.join("broker.p12"), folder.join("trusted.pem"));
    let keytool = || {
        let mut keytool = Command::new("keytool");
        keytool.args(["-alias", "broker", "-storetype", "PKCS12", "-storepass", KEYSTORE_PASSWORD]);
        keytool.arg("-keystore").arg(&store);
        keytool
    };
    run(keytool().args(["-genkeypair", "-keyalg", "RSA", "-keysize", "2048", "-validity", "2"]).args([
        "-dname",
        "CN=localhost",
        "-ext",
        "SAN=dns:localhost,ip:127.0.0.1",
    ]))?;
    run(keytool().args(["-exportcert", "-rfc", "-file"]).arg(&trusted))?;
    Ok(trusted)
}

/// The broker's settings for it.
pub(super) fn settings(folder: &Path) -> String {
    let store = folder.join("broker.p12");
    format!(
        "listener.name.guarded.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.guarded.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.guarded.ssl.keystore.type=PKCS12
listener.name.guarded.ssl.keystore.location={}
listener.name.guarded.ssl.keystore.password={KEYSTORE_PASSWORD}
listener.name.guarded.ssl.key.password={KEYSTORE_PASSWORD}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
",
        store.display()
    )
}

/// What the storage tool is told of who may come in.
pub(super) fn scram() -> [String; 2] {
    let (name, password) = USER;
    ["--add-scram".to_owned(), format!("SCRAM-SHA-512=[name={name},password={password}]")]
}

/// Does what `kafka-acls.sh --add` would do with these arguments (`CreateAcls`, version 1).
pub(super) fn grant(address: (&str, u16), arguments: &[&str]) -> Result<(), String> {
    const ALLOW: u8 = 3;
    let (mut principal, mut pattern, mut operations, mut resources) = ("", 3u8, Vec::new(), Vec::new());
    let mut words = arguments.iter().copied();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("`{word}` without its value"));
        match word {
            "--add" => {}
            "--bootstrap-server" => drop(value()?),
            "--allow-principal" => principal = value()?,
            "--operation" => operations.push(operation(value()?)?),
            "--resource-pattern-type" => pattern = if value()? == "prefixed" { 4 } else { 3 },
            "--topic" => resources.push((2u8, value()?)),
            "--group" => resources.push((3, value()?)),
            "--transactional-id" => resources.push((5, value()?)),
            other => return Err(format!("`{other}` is no argument of kafka-acls.sh that is known here")),
        }
    }
    let count = resources.len() * operations.len();
    let mut request = Request::new(30, 1);
    request.number(count as i32);
    for (kind, name) in &resources {
        for operation in &operations {
            request.bytes(&[*kind]);
            request.text(name);
            request.bytes(&[pattern]);
            request.text(principal);
            request.text("*");
            request.bytes(&[*operation, ALLOW]);
        }
    }
    let answer = request.ask(address).map_err(|error| format!("asking the broker for rights: {error}"))?;
    // Throttle time, number of results; each an error code and a text that may be absent.
    let mut rest = answer.get(8..).unwrap_or_default();
    for _ in 0..count {
        let (code, tail) = rest.split_first_chunk::<2>().ok_or("the broker's answer is cut short")?;
        let (length, tail) = tail.split_first_chunk::<2>().ok_or("the broker's answer is cut short")?;
        let length = usize::try_from(i16::from_be_bytes(*length)).unwrap_or(0);
        let (message, tail) = tail.split_at_checked(length).ok_or("the broker's answer is cut short")?;
        if i16::from_be_bytes(*code) != 0 {
            return Err(format!("the broker gives no rights: {}", String::from_utf8_lossy(message)));
        }
        rest = tail;
    }
    Ok(())
}

fn operation(name: &str) -> Result<u8, String> {
    Ok(match name {
        "Read" => 3,
        "Write" => 4,
        "Create" => 5,
        "Delete" => 6,
        "Describe" => 8,
        "DescribeConfigs" => 10,
        "AlterConfigs" => 11,
        other => return Err(format!("`{other}` is no operation that is known here")),
    })
}
