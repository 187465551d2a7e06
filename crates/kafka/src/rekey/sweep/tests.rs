//! A stamp survives as text, and says whether offsets have passed it.

use rdkafka::{Offset as Position, TopicPartitionList};

use super::Stamp;

#[test]
fn stamps_read_back_and_know_what_lies_behind_offsets() {
    let stamp = Stamp { writer: 1_790_000_000_000, topic: "raw/odd.topic".to_owned(), partition: 3, offset: 17 };
    assert_eq!(Stamp::parse(stamp.to_string().as_bytes()), Some(stamp.clone()));
    for other in ["3/17/5", "", "raw/3/x/5", "0/1", "raw/3/17"] {
        assert_eq!(Stamp::parse(other.as_bytes()), None, "{other}");
    }
    for (next, behind) in [(16, false), (17, false), (18, true)] {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(&stamp.topic, 3, Position::Offset(next)).unwrap();
        assert_eq!(stamp.is_behind(&offsets), behind, "{next}");
    }
    assert!(!stamp.is_behind(&TopicPartitionList::new()), "a partition without an offset was never copied");
}
