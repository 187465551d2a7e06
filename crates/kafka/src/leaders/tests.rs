use rdkafka::util::get_rdkafka_version;

/// With every new version: whether confluentinc/librdkafka#5280 is mended, and the function that is linked around can be
/// left in place.
#[test]
fn the_library_is_the_one_that_was_looked_at() {
    assert_eq!(get_rdkafka_version().1, "2.12.1");
}
