use base::Timestamp;
use engine::ports::{PortError, StoredPane, Tier};

use super::{Joiner, split};
use crate::limits::PANE_PART_BYTES_MAX;

fn pane(end: i64, len: usize) -> StoredPane {
    let bytes = (0..len).map(|i| u8::try_from((i * 31 + i / 7) % 251).unwrap()).collect();
    StoredPane { end: Timestamp::from_millis(end), bytes }
}

fn joiner(first: i64) -> Joiner {
    Joiner::new(Tier::Minute, Timestamp::from_millis(first), "topic `p.panes.minute` partition 3".to_owned())
}

/// Writes panes as records, drops those `lost` says, and reads them again from pane `first`.
fn read_back(panes: &[StoredPane], first: i64, lost: impl Fn(i64) -> bool) -> Result<Vec<StoredPane>, PortError> {
    let mut joiner = joiner(first);
    let mut offset = 0;
    for pane in panes {
        for (key, value) in split(Tier::Minute, pane).unwrap() {
            if !lost(offset) {
                joiner.push(offset, Some(key.as_bytes()), value)?;
            }
            offset += 1;
        }
        offset += 1; // a transaction marker
    }
    joiner.finish().map(|(panes, _)| panes)
}

#[test]
fn panes_of_any_size_come_back() {
    let half = PANE_PART_BYTES_MAX;
    let panes =
        [pane(60_000, 0), pane(120_000, 10), pane(180_000, half), pane(240_000, half + 1), pane(300_000, 3 * half + 5)];
    assert_eq!(split(Tier::Minute, &panes[4]).unwrap().len(), 4);
    assert_eq!(read_back(&panes, i64::MIN, |_| false).unwrap(), panes);
    assert_eq!(read_back(&panes, 240_000, |_| false).unwrap(), panes[3..]);
}

#[test]
fn a_missing_part_is_named() {
    let panes = [pane(60_000, 10), pane(120_000, 3 * PANE_PART_BYTES_MAX), pane(180_000, 10)];
    // Offsets: 0 | 2 3 4 | 6
    for (lost, part) in [(2, "part 0 of 3"), (3, "part 1 of 3"), (4, "part 2 of 3")] {
        let Err(PortError::Corrupt(text)) = read_back(&panes, 0, |offset| offset == lost) else { panic!("no error") };
        assert!(text.contains(part) && text.contains("120000") && text.contains("partition 3"), "{text}");
    }
}

#[test]
fn a_pane_no_longer_needed_may_have_lost_its_start() {
    let panes = [pane(60_000, 3 * PANE_PART_BYTES_MAX), pane(120_000, 10)];
    assert_eq!(read_back(&panes, 120_000, |offset| offset < 2).unwrap(), panes[1..]);
}

#[test]
fn a_pane_written_again_replaces_the_first_and_foreign_keys_are_corrupt() {
    let panes = [pane(60_000, 10), pane(60_000, 20)];
    assert_eq!(read_back(&panes, 0, |_| false).unwrap(), panes[1..]);
    for key in ["hour/60000/0/1", "minute/60000/1/1", "minute/60000/0", "minute/x/0/1", ""] {
        assert!(matches!(joiner(0).push(7, Some(key.as_bytes()), b""), Err(PortError::Corrupt(_))), "{key}");
    }
}
