use proptest::prelude::*;

use super::*;

#[test]
fn what_is_staged_comes_back() {
    let objects = vec![
        Object { resource: Resource::Entries { index: 3, width: 7 }, bytes: vec![1, 2, 3] },
        Object { resource: Resource::Tile { level: 1, index: 1_000, width: 256 }, bytes: vec![] },
    ];
    assert_eq!(decode(&encode(&objects)), Some(objects.clone()));
    let bytes = encode(&objects);
    for length in 1..bytes.len() {
        // The first object alone is a staged commit of its own; every other cut is noticed.
        assert_eq!(decode(&bytes[..length]).is_some(), length == encode(&objects[..1]).len(), "{length}");
    }
}

#[test]
fn only_tiles_and_bundles_can_be_staged() {
    let name = b"../state/head";
    let bytes = [&(name.len() as u16).to_be_bytes()[..], name, &[0, 0, 0, 0]].concat();
    assert_eq!(decode(&bytes), None);
}

proptest! {
    #[test]
    fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }
}
