use super::*;

#[test]
fn a_public_address_without_a_token_is_refused() {
    let address = "0.0.0.0:0".parse().unwrap();
    let error = Server::bind(address, None).err().expect("refused");
    assert!(error.to_string().contains("open to everybody"), "{error}");
}

#[test]
fn a_short_token_is_refused() {
    let path = std::env::temp_dir().join(format!("chartwarden-token-{}", std::process::id()));
    std::fs::write(&path, "tiny\n").unwrap();
    let bound = Server::bind("127.0.0.1:0".parse().unwrap(), Some(&path));
    std::fs::remove_file(&path).unwrap();
    assert!(bound.err().expect("refused").to_string().contains("fewer than 16"));
}

#[test]
fn tokens_are_equal_only_as_a_whole() {
    assert!(same("0123456789abcdef", "0123456789abcdef"));
    assert!(!same("0123456789abcdef", "0123456789abcdeg"));
    assert!(!same("0123", "0123456789abcdef"));
}
