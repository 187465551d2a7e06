//! Entry bundles: entries one after another, each behind its length in sixteen bits (tlog-tiles).
//! Never guesses: bytes left over are damage. Read next: `entry.rs` for what an entry says.

use crate::limits::ENTRY_BYTES_MAX;

/// Adds an entry to a bundle; `false` and no change if it is longer than its length field can say.
#[must_use]
pub(crate) fn push(bundle: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else { return false };
    debug_assert!(entry.len() <= ENTRY_BYTES_MAX);
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

/// The entries of a bundle, or the byte at which it stops making sense.
pub(crate) fn entries(bundle: &[u8]) -> Result<Vec<&[u8]>, usize> {
    let mut found = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        let at = bundle.len() - rest.len();
        let (length, after) = rest.split_first_chunk::<2>().ok_or(at)?;
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(at)?;
        found.push(entry);
        rest = after;
    }
    Ok(found)
}

/// The bytes the first `count` entries of a bundle take; `None` if it holds fewer or makes no sense.
pub(crate) fn prefix_bytes(bundle: &[u8], count: usize) -> Option<usize> {
    let entries = entries(bundle).ok()?;
    (entries.len() >= count).then(|| entries[..count].iter().map(|entry| 2 + entry.len()).sum())
}

#[cfg(test)]
mod tests;
