use super::*;

#[test]
fn a_part_that_is_counted_nowhere_breaks_conservation() {
    let whole = Counts { read: 6, kept: 3, late: 1, duplicates: 1, rejects: 1 };
    assert_eq!(conservation(&[whole]), Ok(()));
    assert!(conservation(&[whole, Counts { read: 7, ..whole }]).unwrap_err().starts_with("conservation: topic 1"));
}

#[test]
fn only_pseudonyms_may_leave() {
    assert_eq!(pseudonymous("u1:abcdefghijklmnopqrstuvwxyz"), Ok(()));
    for key in ["jane.doe", "u1:", "u1:jane.doe", "@hospital.example"] {
        assert!(pseudonymous(key).is_err(), "{key}");
    }
}
