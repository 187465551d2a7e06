use rdkafka::util::get_rdkafka_version;

/// With every new version: whether confluentinc/librdkafka#5280 is mended, and the function that is linked around can be
/// left in place.
#[test]
fn the_library_is_the_one_that_was_looked_at() {
    assert_eq!(get_rdkafka_version().1, "2.12.1");
}

#[test]
fn the_defect_is_linked_around_where_the_linker_can() {
    assert_eq!(super::is_linked_around(), cfg!(target_os = "linux"));
}
