use expect_test::expect;

use super::*;
use crate::synthetic::model;

#[test]
fn dates_are_civil() {
    let dates = [-719_528, -1, 0, 59, 11_016, 19_782, 20_000, 2_932_896, 2_932_897].map(date);
    expect!["0000-01-01 1969-12-31 1970-01-01 1970-03-01 2000-02-29 2024-02-29 2024-10-04 9999-12-31 day 2932897"]
        .assert_eq(&dates.join(" "));
}

#[test]
fn the_card_says_what_the_model_holds() {
    let (card, model) = (card(model()), model());
    for line in [
        "# Model card: user-day",
        &format!("Digest `{}`", model.digest()),
        "not proof of misconduct",
        "| window | 2024-10-04 up to, not including, 2024-10-14 |",
        "| sites | north |",
        "| trainer | smartcore 0.7.0 RandomForestRegressor on 0/1 labels |",
        "Owner: not stated",
        &format!("| average precision | {:.3} (", model.metrics().average_precision),
        &format!("{} rows of {} users", model.metrics().rows, model.metrics().groups),
        "| absent |  | 0.0 % | 100.0 % |",
        "Approved by:",
        "The model file is not signed",
    ] {
        assert!(card.contains(line), "the card lacks `{line}`:\n{card}");
    }
}

#[test]
fn the_card_of_a_model_is_always_the_same() {
    assert_eq!(card(model()), card(&crate::Model::from_bytes(&model().to_bytes()).unwrap()));
}
