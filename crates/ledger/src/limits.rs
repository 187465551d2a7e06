//! Every bound of this crate, with its unit in its name. Bounds that lean on each other are asserted together.
//! Read next: `ledger.rs`, which cuts batches by them.

/// Entries signed by one checkpoint; a longer batch is cut into several commits.
pub const COMMIT_ENTRIES_MAX: usize = 1_024;
/// Bytes of content in one commit, so that the openings of a commit fit in memory several times over.
pub const COMMIT_CONTENT_BYTES_MAX: usize = 16 << 20;
/// Bytes of the content of one committed entry.
pub const CONTENT_BYTES_MAX: usize = 256 << 10;
/// Bytes of the public body of an erasure notice, key change, seen anchor, manifest or genesis.
pub const BODY_BYTES_MAX: usize = 4 << 10;
/// Bytes of a submission's id.
pub const ID_BYTES_MAX: usize = 256;
/// Bytes of the code that says on what ground an entry was erased.
pub const BASIS_BYTES_MAX: usize = 64;
/// Bytes of the caller's source position, kept in the head.
pub const SOURCE_POSITION_BYTES_MAX: usize = 256 << 10;
/// Bytes of a log's origin.
pub const ORIGIN_BYTES_MAX: usize = 255;
/// Bytes of a key file, signing or verifying.
pub const KEY_FILE_BYTES_MAX: u64 = 4 << 10;

/// Entries a ledger may hold: six levels of full tiles. Far from where 64-bit tree arithmetic overflows.
pub const LEDGER_ENTRIES_MAX: u64 = 1 << 48;
/// Hashes in a full tile, entries in a full bundle (tlog-tiles).
pub const TILE_WIDTH: usize = 256;
/// Bytes of one entry in a bundle: its length is sixteen bits.
pub const ENTRY_BYTES_MAX: usize = 0xffff;
/// Bytes of an entry bundle.
pub const BUNDLE_BYTES_MAX: usize = TILE_WIDTH * (2 + ENTRY_BYTES_MAX);
/// Bytes of a tile.
pub const TILE_BYTES_MAX: usize = TILE_WIDTH * 32;
/// Bytes of a signed checkpoint; a hundred signatures of the longest kind fit.
pub const CHECKPOINT_BYTES_MAX: usize = 512 << 10;
/// Bytes of a `.tlog-proof`.
pub const PROOF_BYTES_MAX: usize = 1 << 20;
/// Hashes in an inclusion proof: one for each halving of the largest tree.
pub const PROOF_HASHES_MAX: usize = 48;
/// Bytes of an opening file: JSON may spend six characters on one byte of content.
pub const OPENING_BYTES_MAX: usize = 2 << 20;
/// Bytes of `state/head`.
pub const HEAD_BYTES_MAX: usize = 4 << 20;
/// Bytes of a staged commit.
pub const STAGING_BYTES_MAX: usize = 16 << 20;
/// Bytes of the openings of one commit, as stored.
pub const BATCH_BYTES_MAX: usize = 256 << 20;

/// Ids in one block of the id index.
pub const ID_BLOCK_ENTRIES: u64 = 4_096;
/// Object writes under way at once while a commit is published.
pub const WRITES_IN_FLIGHT: usize = 8;
/// Kept checkpoints removed in one tidying, so that it ends; a commit every ten seconds leaves fewer in a day.
pub const CHECKPOINTS_REMOVED_MAX: u64 = 10_000;
/// Problems a verification lists before it only counts.
pub const PROBLEMS_MAX: usize = 100;

const _: () = {
    assert!(LEDGER_ENTRIES_MAX == 1 << PROOF_HASHES_MAX);
    assert!(11 + 2 + BODY_BYTES_MAX <= ENTRY_BYTES_MAX);
    assert!(6 * CONTENT_BYTES_MAX + 1_024 <= OPENING_BYTES_MAX);
    assert!(CONTENT_BYTES_MAX <= COMMIT_CONTENT_BYTES_MAX);
    assert!(6 * COMMIT_CONTENT_BYTES_MAX + COMMIT_ENTRIES_MAX * (6 * ID_BYTES_MAX + 256) + 1_024 <= BATCH_BYTES_MAX);
    // A batch straddles at most two blocks of the id index, which is what a lookup searches.
    assert!((COMMIT_ENTRIES_MAX as u64) < ID_BLOCK_ENTRIES);
    // Entries twice (as the rest of an old bundle comes along) and the tiles over them.
    assert!((COMMIT_ENTRIES_MAX + TILE_WIDTH) * (2 + 13 + BODY_BYTES_MAX) + (64 << 10) <= STAGING_BYTES_MAX);
    assert!(6 * SOURCE_POSITION_BYTES_MAX + CHECKPOINT_BYTES_MAX + (64 << 10) <= HEAD_BYTES_MAX);
};
