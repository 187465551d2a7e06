//! Jars of Java programs that stand beside ours, fetched once into a cache directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const NEEDS: &str = "the tests run against a real Kafka broker, which needs Java 17 or newer and, once, Maven: \
    `apt-get install openjdk-17-jdk-headless maven`; or set KAFKA_BOOTSTRAP to a cluster that may be written to";

/// The directory `name` of the cache, filled by Maven with the dependencies of `pom` where it is not there yet.
pub fn jars(pom: &Path, name: &str) -> Result<PathBuf, String> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home).unwrap_or_else(std::env::temp_dir);
    let folder = cache.join("chartwarden");
    let jars = folder.join(name);
    if jars.exists() {
        return Ok(jars);
    }
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    // Filled aside and renamed when complete, so that a broken download or a second process does no harm.
    let aside = tempfile::tempdir_in(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let filled = aside.path().join("jars");
    run(Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(pom)
        .arg("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", filled.display())))?;
    match fs::rename(&filled, &jars) {
        Err(error) if !jars.exists() => Err(format!("{}: {error}", jars.display())),
        _ => Ok(jars),
    }
}

/// Runs a program to its end; an error tells what it said.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("`{program}`: {error}; {NEEDS}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Err(format!("`{program}` ended with {}: {said}\n{NEEDS}", output.status))
}
