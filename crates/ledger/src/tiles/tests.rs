use std::sync::Arc;

use object_store::memory::InMemory;
use tlog_tiles::{record_hash, stored_hash_index};

use super::*;
use crate::testing::{block_on, key};
use crate::tree::{Edge, Object, tile_bytes};

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

async fn log(size: u64) -> (Store, Checkpoint) {
    let store = Store::new(Arc::new(InMemory::new()));
    let (mut edge, mut objects) = (Edge::default(), Vec::<Object>::new());
    (0..size).for_each(|number| edge.push(&entry(number), &mut objects));
    objects.extend(edge.partials(0));
    for object in objects {
        store.create(&object.resource.to_string(), object.bytes).await.unwrap();
    }
    let note = Checkpoint::sign(&key(), size, edge.root()).unwrap();
    (store, Checkpoint::open(&note, key().verifier()).unwrap())
}

#[test]
fn every_leaf_of_trees_around_the_edges_of_tiles_is_read_and_authenticated() {
    block_on(async {
        for size in [1, 2, 255, 256, 257, 511, 512, 513, 701, 1_024] {
            let (store, checkpoint) = log(size).await;
            for index in 0..size {
                let leaf = hashes(&store, &checkpoint, &[stored_hash_index(0, index)]).await.unwrap();
                assert_eq!(leaf, [record_hash(&entry(index))], "{index} of {size}");
            }
            assert!(hashes(&store, &checkpoint, &[stored_hash_index(0, size)]).await.is_err(), "{size}");
        }
    });
}

#[test]
fn a_full_tile_that_was_forged_is_refused_even_where_the_edge_has_few_tiles() {
    block_on(async {
        // 701 is seven subtrees on two tiles: the case in which the tree code alone lets tile/0/001 pass.
        for size in [512, 513, 701, 767, 1_023] {
            let (store, checkpoint) = log(size).await;
            let mut leaves: Vec<Hash> = (256..512).map(|number| record_hash(&entry(number))).collect();
            leaves[15] = record_hash(b"forged");
            store.replace("tile/0/001", tile_bytes(&leaves)).await.unwrap();
            let error = hashes(&store, &checkpoint, &[stored_hash_index(0, 271)]).await.unwrap_err();
            let expected = "tile/0/001 is damaged: it does not hash to what the tile above it holds";
            assert_eq!(error.to_string(), expected, "size {size}");
        }
    });
}

#[test]
fn a_partial_that_gave_way_to_the_full_file_is_read_from_that() {
    block_on(async {
        let (store, checkpoint) = log(300).await;
        let (later, _) = log(512).await;
        for name in ["tile/0/001", "tile/entries/001"] {
            store.remove(&format!("{name}.p/44")).await.unwrap();
            store.create(name, later.read(name, BUNDLE_BYTES_MAX).await.unwrap().unwrap()).await.unwrap();
        }
        let leaf = hashes(&store, &checkpoint, &[stored_hash_index(0, 299)]).await.unwrap();
        assert_eq!(leaf, [record_hash(&entry(299))]);
        let entries = read_entries(&store, bundle_of(299, 300)).await.unwrap();
        assert_eq!((entries.len(), &entries[43]), (44, &entry(299)));
    });
}
