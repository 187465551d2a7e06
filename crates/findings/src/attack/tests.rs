use super::*;

#[test]
fn the_table_is_in_order_and_every_entry_is_found() {
    assert!(TABLE.is_sorted_by(|a, b| a.id < b.id));
    for technique in TABLE {
        assert!(is_id(technique.id));
        assert_eq!(find(technique.id), Some(technique));
        let parent = technique.id.split_once('.').map_or(technique.id, |(parent, _)| parent);
        assert!(find(parent).is_some(), "{} without its technique", technique.id);
    }
    assert_eq!(find("T9999"), None);
}

#[test]
fn ids_have_one_form() {
    for id in ["T1078", "T1110.003"] {
        assert!(is_id(id));
    }
    for id in
        ["", "T", "1078", "t1078", "T107", "T10788", "T1078.", "T1078.1", "T1078.0003", "T1078.00a", "TA0001", "T١٢٣٤"]
    {
        assert!(!is_id(id), "{id}");
    }
}
