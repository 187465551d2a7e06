use arrow::datatypes::{DataType, Field};
use expect_test::expect;

use super::*;
use crate::synthetic::{batch, model, table};

fn schema(columns: &[(&str, DataType)]) -> Schema {
    Schema::new(columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>())
}

#[test]
fn every_missing_column_is_named_with_its_nearest() {
    let rows = schema(&[
        ("flags", DataType::Boolean),
        ("count", DataType::Int64),
        ("gap", DataType::Float64),
        ("noise", DataType::Float64),
        ("constant", DataType::Float64),
    ]);
    let error = model().bind(&rows).unwrap_err();
    assert_eq!(error.kind(), base::Kind::Invalid);
    expect!["model `user-day` needs columns the rows do not have: `flag` (did you mean `flags`?), `absent`"]
        .assert_eq(&error.to_string());
}

#[test]
fn a_text_column_is_refused() {
    let mut columns: Vec<(&str, DataType)> =
        model().features().iter().map(|spec| (spec.name.as_str(), DataType::Float64)).collect();
    assert!(model().bind(&schema(&columns)).is_ok());
    columns[1].1 = DataType::Utf8;
    expect!["column `count` is of type Utf8: expected a number or a boolean"]
        .assert_eq(&model().bind(&schema(&columns)).unwrap_err().to_string());
}

#[test]
fn the_digest_is_that_of_the_file() {
    let bytes = model().to_bytes();
    assert_eq!(model().digest(), Digest(Sha256::digest(&bytes).into()));
    assert_eq!(Model::from_bytes(&bytes).unwrap(), *model());
    assert_eq!(Model::from_bytes(&bytes).unwrap().digest(), model().digest());
}

#[test]
fn a_model_read_back_scores_the_same() {
    let batch = batch(&table(500, 9));
    let again = Model::from_bytes(&model().to_bytes()).unwrap();
    let scores = |model: &Model| model.bind(batch.schema_ref()).unwrap().score(&batch).unwrap();
    assert_eq!(scores(model()), scores(&again));
}

#[test]
fn headers_that_do_not_fit_are_refused() {
    let check = |spoil: fn(&mut Header)| {
        let mut header = model().header().clone();
        spoil(&mut header);
        Model::new(header, model().forest().clone()).unwrap_err()
    };
    let refused = [
        check(|h| h.name = String::new()),
        check(|h| h.importances.truncate(2)),
        check(|h| h.features[1].name = "flag".to_owned()),
        check(|h| h.missing[0] = MissingRule::Below(f32::INFINITY)),
        check(|h| h.calibration = Platt { slope: -1.0, intercept: 0.0 }),
    ];
    expect![[r#"
        model name `` has 0 bytes: expected 1 to 200
        lists of [6, 6, 2, 6] entries, expected 6 features
        feature `flag` is listed twice
        a substitute for missing values is not finite
        calibration Platt { slope: -1.0, intercept: 0.0 } is out of range"#]]
    .assert_eq(&refused.join("\n"));
}
