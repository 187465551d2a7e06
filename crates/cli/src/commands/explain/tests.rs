use super::*;

/// A double click on a pseudonym selects what stands behind its colon.
#[test]
fn a_user_is_meant_with_and_without_what_stands_before_the_colon() {
    let golden = include_str!("../../../../findings/golden/findings.ndjson").lines().next().unwrap();
    let mut view = findings::read(golden.as_bytes()).unwrap();
    view.subject = "u1:3kq7hwmzpt".to_owned();
    let (finding, case) = (view.id.clone(), view.case_id.clone());
    for meant in ["u1:3kq7hw", "3kq7hw", "3kq7hwmzpt", &finding[..8], &case[..8]] {
        assert!(is_meant(&view, meant), "{meant}");
    }
    for other in ["kq7hwm", "u2:3kq7hw", "3kq7hwmzptx", &finding[2..]] {
        assert!(!is_meant(&view, other), "{other}");
    }
}
