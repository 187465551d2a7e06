//! The tree against two others: the tree code our tiles are read with, and ct-merkle, which shares no line with it.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{InclusionProof, RootHash};
use sha2_11::Sha256;
use tlog_tiles::{HashReader, check_record, prove_record, stored_hashes, tlog, tree_hash};

use super::*;

#[derive(Default)]
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[*index as usize]).collect())
    }
}

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

#[test]
fn roots_and_proofs_are_those_of_independent_code_for_every_small_size() {
    let mut edge = Edge::default();
    let mut stored = Stored::default();
    let mut other = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    assert_eq!(edge.root(), EMPTY_HASH);
    for size in 1..=300u64 {
        let entry_bytes = entry(size - 1);
        let hashes = stored_hashes(size - 1, &entry_bytes, &stored).unwrap();
        stored.0.extend(hashes);
        edge.push(&entry_bytes, &mut Vec::new());
        other.push(entry_bytes);
        let root = edge.root();
        assert_eq!(root.0, <[u8; 32]>::from(*other.root().as_bytes()), "size {size}");
        assert_eq!(root, tree_hash(size, &stored).unwrap(), "size {size}");
        let theirs = RootHash::<Sha256>::new(root.0.into(), size);
        for index in 0..size {
            let proof = prove_record(size, index, &stored).unwrap();
            check_record(&proof, size, root, index, record_hash(&entry(index))).unwrap();
            let bytes: Vec<u8> = proof.iter().flat_map(|hash| hash.0).collect();
            assert_eq!(bytes, other.prove_inclusion(index as usize).as_bytes(), "size {size}, index {index}");
            if index % 7 == 0 {
                let proof = InclusionProof::<Sha256>::from_bytes(bytes);
                theirs.verify_inclusion(&entry(index), index, &proof).unwrap();
            }
        }
    }
}

#[test]
fn a_tree_of_70_000_has_the_tiles_of_the_specifications_example() {
    let mut edge = Edge::default();
    let mut full = Vec::new();
    for number in 0..70_000 {
        edge.push(&entry(number), &mut full);
    }
    let names = |objects: &[Object]| objects.iter().map(|object| object.resource.to_string()).collect::<Vec<_>>();
    let full = names(&full);
    assert_eq!(full.iter().filter(|name| name.starts_with("tile/0/")).count(), 273);
    assert_eq!(full.iter().filter(|name| name.starts_with("tile/entries/")).count(), 273);
    assert_eq!(full.iter().filter(|name| name.starts_with("tile/1/")).collect::<Vec<_>>(), ["tile/1/000"]);
    let partials = ["tile/0/273.p/112", "tile/entries/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"];
    assert_eq!(names(&edge.partials(0)), partials);
    assert_eq!(names(&edge.partials(69_999)), partials[..2], "higher tiles did not change with the last entry");
    assert!(edge.partials(70_000).is_empty());
}

#[test]
fn a_tree_of_256_has_no_partial_leaf_tile() {
    let mut edge = Edge::default();
    let mut objects = Vec::new();
    (0..256).for_each(|number| edge.push(&entry(number), &mut objects));
    objects.extend(edge.partials(0));
    let names: Vec<String> = objects.iter().map(|object| object.resource.to_string()).collect();
    assert_eq!(names, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(tile_hashes(&objects[2].bytes).unwrap(), [edge.root()]);
}

#[test]
fn roots_of_larger_trees_agree_where_tiles_fill() {
    let mut edge = Edge::default();
    let mut stored = Stored::default();
    for size in 1..=66_000u64 {
        let entry = entry(size - 1);
        let hashes = stored_hashes(size - 1, &entry, &stored).unwrap();
        stored.0.extend(hashes);
        edge.push(&entry, &mut Vec::new());
        if size % 256 < 2 || size % 1_021 == 0 || (65_530..65_542).contains(&size) {
            assert_eq!(edge.root(), tree_hash(size, &stored).unwrap(), "size {size}");
        }
    }
}
