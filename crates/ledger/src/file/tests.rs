use super::*;
use crate::testing::{in_time, pipe};

#[test]
fn a_file_is_replaced_as_a_whole_and_created_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key.txt");
    // What a write that was killed left is neither in the way nor taken for the file.
    fs::write(dir.path().join("key.txt.next"), "cut sh").unwrap();
    create(&path, b"one", Readers::Owner).unwrap();
    assert_eq!(create(&path, b"two", Readers::Owner).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"one");
    replace(&path, b"three", Readers::Anybody).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"three");
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["key.txt"]);
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_not_read_takes_the_place_of_one_they_could() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, "older").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    replace(&path, b"newer", Readers::Owner).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn no_more_is_read_than_shows_that_a_file_is_too_long() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long");
    for (length, expected) in [(0, 0), (7, 7), (8, 8), (9, 9), (1 << 33, 9)] {
        File::create(&path).unwrap().set_len(length).unwrap();
        assert_eq!(read_file(&path, 8).unwrap().len(), expected);
    }
    assert_eq!(read_file(dir.path(), 8).unwrap_err().kind(), ErrorKind::IsADirectory);
    assert_eq!(read_file(&dir.path().join("none"), 8).unwrap_err().kind(), ErrorKind::NotFound);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe");
    pipe(&path);
    let error = in_time(move || read_file(&path, 8).unwrap_err());
    assert_eq!(error.to_string(), NO_FILE);
    assert_eq!(read_file(Path::new("/dev/zero"), 8).unwrap_err().kind(), ErrorKind::InvalidInput);
}
