use super::*;
use crate::synthetic::table;

#[test]
fn groups_go_one_way_and_both_ways_have_positives() {
    let table = table(2_000, 3);
    let split = Split::by_group(&table.labels, &table.groups, 0.25, Seed(1)).unwrap();
    let groups = |rows: &[usize]| rows.iter().map(|row| table.groups[*row]).collect::<BTreeSet<_>>();
    assert!(groups(&split.train).is_disjoint(&groups(&split.held)));
    assert_eq!(split.train.len() + split.held.len(), 2_000);
    // 200 users of 10 rows: a quarter of those with and of those without positives.
    assert_eq!(groups(&split.held).len(), 50);
    for rows in [&split.train, &split.held] {
        assert!(rows.iter().any(|row| table.labels[*row] == 1));
    }
}

#[test]
fn row_order_does_not_choose_the_groups() {
    let table = table(500, 3);
    let reversed = |values: &[u8]| values.iter().rev().copied().collect::<Vec<_>>();
    let groups: Vec<u64> = table.groups.iter().rev().copied().collect();
    let held = |labels: &[u8], groups: &[u64]| {
        let split = Split::by_group(labels, groups, 0.25, Seed(1)).unwrap();
        split.held.iter().map(|row| groups[*row]).collect::<BTreeSet<_>>()
    };
    assert_eq!(held(&table.labels, &table.groups), held(&reversed(&table.labels), &groups));
}

#[test]
fn two_positive_groups_go_one_each_way() {
    let split = Split::by_group(&[1, 1, 1, 0], &[8, 9, 9, 9], 0.9, Seed(1)).unwrap();
    assert!(!split.train.is_empty() && !split.held.is_empty());
    assert!(matches!(Split::by_group(&[1, 0], &[8, 9], 0.5, Seed(1)), Err(Error::FewPositiveGroups { found: 1 })));
}
