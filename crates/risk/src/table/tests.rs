use expect_test::{Expect, expect};

use super::*;
use crate::synthetic::{config, provenance, specs, table};
use crate::train;

/// What training says of a table with one thing wrong.
fn check(spoil: impl FnOnce(&mut Table), expect: Expect) {
    let mut table = table(200, 1);
    let specs = specs(&table);
    spoil(&mut table);
    let error = train("m", &table, &specs, &config(), provenance()).unwrap_err();
    assert_eq!(error.kind(), base::Kind::Invalid);
    expect.assert_eq(&error.to_string());
}

#[test]
fn unusable_tables_are_refused_with_a_reason() {
    check(|t| *t = Table::default(), expect!["training table has 0 features: expected 1 to 1024"]);
    check(
        |t| *t = Table { names: t.names.clone(), columns: vec![Vec::new(); 6], ..Table::default() },
        expect!["training table has 0 rows: expected 1 to 16777216"],
    );
    check(|t| t.columns[1].truncate(7), expect!["training table: column `count` has 7 entries, expected 200"]);
    check(|t| t.weights.truncate(7), expect!["training table: the list of weights has 7 entries, expected 200"]);
    check(|t| t.columns.truncate(2), expect!["training table: the list of columns has 2 entries, expected 6"]);
    check(|t| t.names[1] = "flag".to_owned(), expect!["feature `flag` is listed twice"]);
    check(|t| t.names[1] = String::new(), expect!["feature name `` has 0 bytes: expected 1 to 200"]);
    check(|t| t.names[1] = "other".to_owned(), expect!["feature `count` has no column in the training table"]);
    check(|t| t.labels[3] = 2, expect!["training table: row 3 of `labels` is 2: expected 0 or 1"]);
    check(
        |t| t.weights[3] = f32::NAN,
        expect!["training table: row 3 of `weights` is NaN: expected a number from 0 to 1e6"],
    );
    check(|t| t.labels.fill(0), expect!["training table: all 200 rows have label 0: rows of both labels are needed"]);
    check(
        |t| t.columns[0][5] = f32::INFINITY,
        expect!["training table: row 5 of `flag` is inf: expected a number between -1e30 and 1e30, or NaN"],
    );
}

#[test]
fn a_table_in_which_nothing_varies_is_refused() {
    for value in [f32::NAN, 4.0] {
        check(
            |t| t.columns.iter_mut().for_each(|column| column.fill(value)),
            expect!["training table: none of 6 features varies: every one is constant or missing"],
        );
    }
}

#[test]
fn positives_of_one_user_are_refused() {
    let spoil = |t: &mut Table| {
        t.labels.fill(0);
        t.labels[..5].fill(1);
    };
    check(
        spoil,
        expect![
            "training table: its positive rows belong to 1 group: at least 2 are needed, so that the model is \
             calibrated on users its trees never saw"
        ],
    );
}

#[test]
fn a_class_without_weight_is_refused() {
    let spoil = |t: &mut Table| t.weights.iter_mut().zip(&t.labels).for_each(|(w, label)| *w *= f32::from(1 - *label));
    check(spoil, expect!["training table: the training slice has no row of label 1 with a weight above 0: add groups"]);
}

#[test]
fn settings_out_of_range_are_refused() {
    let table = table(200, 1);
    let check = |config: crate::TrainingConfig, expect: Expect| {
        let error = train("m", &table, &specs(&table), &config, provenance()).unwrap_err();
        expect.assert_eq(&error.to_string());
    };
    check(crate::TrainingConfig { trees: 0, ..config() }, expect!["training setting `trees` is 0: expected 1 to 2000"]);
    check(
        crate::TrainingConfig { depth_max: 33, ..config() },
        expect!["training setting `depth_max` is 33: expected 2 to 32"],
    );
    check(
        crate::TrainingConfig { split_features: Some(7), ..config() },
        expect!["training setting `split_features` is 7: expected 1 to 6"],
    );
    check(
        crate::TrainingConfig { positive_balance: f64::NAN, ..config() },
        expect!["training setting `positive_balance` is NaN: expected 0 to 1"],
    );
}

#[test]
fn specs_come_in_the_order_of_columns() {
    let table = table(20, 1);
    let mut shuffled = specs(&table);
    shuffled.reverse();
    assert_eq!(order_specs(&table.names, &shuffled).unwrap(), specs(&table));
    let error = order_specs(&table.names, &shuffled[1..]).unwrap_err();
    expect!["feature `absent` has no description"].assert_eq(&error.to_string());
}

#[test]
fn missing_values_lie_below_all_others_or_take_the_median() {
    assert_eq!(MissingRule::of(&[3.0, 1.0, 2.0]), MissingRule::Median(2.0));
    assert_eq!(MissingRule::of(&[f32::NAN]), MissingRule::Median(0.0));
    assert_eq!(MissingRule::of(&[3.0, f32::NAN, 0.0]), MissingRule::Below(-1.0));
    for least in [-1e30, -1e9, -1.0, 0.0, 1e-30, 1e9, 16_777_217.0, 1e30] {
        let substitute = MissingRule::of(&[least, f32::NAN]).substitute();
        assert!(substitute < least && substitute.is_finite(), "{substitute} stands in below {least}");
    }
}
