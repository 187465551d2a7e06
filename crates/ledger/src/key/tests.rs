use super::*;
use crate::testing::{ORIGIN, key};

/// The example key of the signed-note specification and of its Go reference code.
const EXAMPLE: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const EXAMPLE_SECRET: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

#[test]
fn the_specifications_example_is_read_and_written() {
    assert_eq!(EXAMPLE.parse::<VerifierKey>().unwrap().to_string(), EXAMPLE);
    let secret = SigningKey::parse(EXAMPLE_SECRET, "example").unwrap();
    assert_eq!(secret.vkey(), EXAMPLE);
    assert_eq!(secret.origin(), "PeterNeumann");
}

#[test]
fn a_saved_key_is_private_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.key");
    key().save(&path).unwrap();
    let loaded = SigningKey::load(&path).unwrap();
    assert_eq!((loaded.vkey(), loaded.origin()), (key().vkey(), ORIGIN));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = key().save(&path).unwrap_err();
    assert!(matches!(again, Error::Io { .. }), "an existing key is never overwritten: {again}");
}

#[test]
fn what_a_write_leaves_that_was_cut_short_is_told_and_is_in_nobodys_way() {
    let dir = tempfile::tempdir().unwrap();
    let (path, vkey) = (dir.path().join("ledger.key"), dir.path().join("log.vkey"));
    fs::write(dir.path().join("ledger.key.next"), "PRIVATE+K").unwrap();
    key().save(&path).unwrap();
    SigningKey::load(&path).unwrap();
    assert!(!dir.path().join("ledger.key.next").exists(), "half a secret is no less of one");
    for (file, mend) in [(&path, "put the key back from a copy"), (&vkey, "get the key again")] {
        for (bytes, what) in [(&b"\n"[..], "empty"), (&b"\xff\xfe"[..], "not text (UTF-8)")] {
            fs::write(file, bytes).unwrap();
            let error = if file == &path {
                SigningKey::load(file).unwrap_err()
            } else {
                VerifierKey::load(file, &dir.path().join("log")).unwrap_err()
            };
            assert_eq!(error.kind(), base::Kind::Invalid);
            assert!(error.to_string().contains(&format!("the file is {what}: {mend}")), "{error}");
        }
    }
    key().verifier().save(&vkey).unwrap();
    assert_eq!(VerifierKey::load(&vkey, &dir.path().join("log")).unwrap().to_string(), key().vkey());
}

#[test]
fn a_verifier_key_that_the_log_brings_along_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    fs::create_dir_all(log.join("deep")).unwrap();
    let (inside, outside) = (log.join("deep/vkey"), dir.path().join("vkey"));
    fs::write(&inside, key().vkey()).unwrap();
    fs::write(&outside, format!("{}\n", key().vkey())).unwrap();
    assert_eq!(VerifierKey::load(&outside, &log).unwrap().origin(), ORIGIN);
    let refused = VerifierKey::load(&inside, &log).unwrap_err();
    assert!(refused.to_string().contains("it lies inside the log"), "{refused}");
    #[cfg(unix)]
    {
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&inside, &link).unwrap();
        assert!(VerifierKey::load(&link, &log).is_err(), "a link into the log is the log's key too");
    }
}

#[test]
fn keys_that_prove_nothing_are_refused() {
    let weak = ed25519_dalek::VerifyingKey::from_bytes(&[0; 32]).unwrap();
    let weak = signed_note::new_ed25519_verifier_key("x", &weak);
    assert!(weak.parse::<VerifierKey>().unwrap_err().to_string().contains("small order"));
    for text in ["", "x", "x+y", "x+00000000+AAAA", "x+zzzzzzzz+AQ==", &EXAMPLE.replace("c74f20a3", "c74f20a4")] {
        assert!(text.parse::<VerifierKey>().is_err(), "{text}");
    }
    for origin in ["", "a b", "a+b", "a\u{7f}", &"x".repeat(300)] {
        assert!(SigningKey::generate(origin, [1; 32]).is_err(), "{origin}");
    }
}

#[test]
fn nothing_prints_the_secret_half() {
    assert_eq!(format!("{:?}", key()), format!("SigningKey({})", key().vkey()));
}
