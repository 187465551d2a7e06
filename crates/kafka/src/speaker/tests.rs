use super::{murmur2, partition_of};

/// Known answers of the Java client's partitioner (`UtilsTest.testMurmur2` of Apache Kafka).
#[test]
fn murmur2_agrees_with_the_java_client() {
    for (text, hash) in [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
    ] {
        assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
    }
}

#[test]
fn a_key_has_one_partition_for_equal_counts() {
    assert_eq!(partition_of(b"21", 12), partition_of(b"21", 12));
    assert!((0..100u32).all(|n| partition_of(&n.to_le_bytes(), 7) < 7));
    assert_eq!(partition_of(b"", 1), 0);
}
