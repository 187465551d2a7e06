//! The limits of decoding. What lies beyond one becomes a reject, is shortened, or is hashed; never a panic.

/// Bytes of one record's value; Kafka's own default is about the same.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// Bytes of keys and values handed to one `decode` call: keeps every text column far below Arrow's 2 GiB.
pub const BATCH_BYTES_MAX: usize = 512 << 20;

/// Events in one record (a bundle or an array).
pub const PARTS_MAX: usize = 10_000;

/// Nesting of objects and arrays in a record.
pub const DEPTH_MAX: usize = 64;

/// Bytes of a text kept as it came; what is longer is cut at a character.
pub const TEXT_BYTES_MAX: usize = 512;

/// Bytes of an event id kept as it came; a longer one is replaced by its digest.
pub const EVENT_ID_BYTES_MAX: usize = 128;

/// Bytes that one event can take out; what says more says nothing. Sums of thousands of events stay far below 2^63.
pub const BYTES_MAX: i64 = 1 << 50;

/// Bytes of a decoded FHIR query that are searched for names.
pub const QUERY_BYTES_MAX: usize = 16 << 10;

/// Bytes of a reject's detail.
pub const DETAIL_BYTES_MAX: usize = 200;

/// Pseudonyms of one kind kept in memory; at the limit the memory is cleared and filled anew.
pub const MEMO_ENTRIES_MAX: usize = 1 << 16;

/// Bytes of a raw id worth keeping in that memory.
pub const MEMO_RAW_BYTES_MAX: usize = 256;

/// Ranges in the table of networks.
pub const NETWORKS_MAX: usize = 4_096;

/// Characters of a pseudonym key's id.
pub const KEY_ID_CHARS_MAX: usize = 8;

/// Bytes of a pseudonym key.
pub const KEY_BYTES: usize = 32;

const _: () = {
    // `next` of a record and a digest in place of every id still fit the columns of a full batch.
    assert!(BATCH_BYTES_MAX * 3 < i32::MAX as usize);
    assert!(RECORD_BYTES_MAX <= BATCH_BYTES_MAX);
    // The last index stands for "no network".
    assert!(NETWORKS_MAX + 1 < u16::MAX as usize);
    assert!(QUERY_BYTES_MAX <= RECORD_BYTES_MAX);
    // serde_json gives up at 128 by itself; ours comes first and has a name.
    assert!(DEPTH_MAX < 128);
};
