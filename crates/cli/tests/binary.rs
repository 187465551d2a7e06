//! The binary is there: this test makes `cargo test` build it, for the tests that drive it from outside.

use std::process::Command;

#[test]
fn it_says_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_chartwarden")).arg("--version").output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), concat!("chartwarden ", env!("CARGO_PKG_VERSION")));
}
