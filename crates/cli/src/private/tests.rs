use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn others_can_read_neither_what_is_made_nor_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (fresh, open) = (dir.path().join("a/b"), dir.path().join("open"));
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    for path in [&fresh, &open] {
        folder(path).unwrap();
        assert_eq!(mode(path), 0o700, "{}", path.display());
    }
    let (file, elsewhere) = (open.join("receipt"), dir.path().join("elsewhere"));
    fs::write(&file, "older").unwrap();
    fs::write(&elsewhere, "kept").unwrap();
    std::os::unix::fs::symlink(&elsewhere, open.join("receipt.next")).unwrap();
    write(&file, b"newer").unwrap();
    sync(&open).unwrap();
    assert!(sync(&dir.path().join("gone")).is_err(), "what cannot be made to last is an error");
    assert_eq!((fs::read(&file).unwrap().as_slice(), mode(&file)), (b"newer".as_slice(), 0o600));
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "kept", "nothing is written through a link");
}

#[test]
fn lines_are_kept_behind_those_before_and_never_on_a_device() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lines");
    append(&file, "one\n").unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Whoever may read it decides its owner.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    append(&file, "two\nthree\n").unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    // What a full disk cut short stays what it is, and spoils no other line.
    fs::write(&file, fs::read_to_string(&file).unwrap() + "fo").unwrap();
    append(&file, "five\n").unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "one\ntwo\nthree\nfo\nfive\n");
    for place in [Path::new("/dev/null"), dir.path(), &dir.path().join("gone/lines")] {
        assert!(append(place, "lost\n").is_err(), "{}", place.display());
    }
}
