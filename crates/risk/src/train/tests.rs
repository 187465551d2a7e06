use super::*;
use crate::metrics::auc;
use crate::synthetic::{batch, config, model, provenance, specs, table, uniform};

fn trained(table: &Table, config: &TrainingConfig) -> Model {
    train("user-day", table, &specs(table), config, provenance()).unwrap()
}

fn scores(model: &Model, table: &Table) -> Vec<f64> {
    let batch = batch(table);
    model.bind(batch.schema_ref()).unwrap().score(&batch).unwrap()
}

#[test]
fn the_same_table_gives_the_same_bytes() {
    let table = table(4_000, 1);
    assert_eq!(trained(&table, &config()).to_bytes(), model().to_bytes());
    let other = TrainingConfig { seed: 2, ..config() };
    assert_ne!(trained(&table, &other).digest(), model().digest());
}

#[test]
fn unseen_users_are_ranked_and_their_rate_is_met() {
    let fresh = table(20_000, 77);
    let scores = scores(model(), &fresh);
    let area = auc(&scores, &fresh.labels, &[]).unwrap();
    assert!(area > 0.9, "{area}");
    let rate = fresh.labels.iter().map(|label| f64::from(*label)).sum::<f64>() / 20_000.0;
    let mean = scores.iter().sum::<f64>() / 20_000.0;
    // Positives were weighted up several times in training; the probabilities must not be.
    assert!(model().header().positive_weight > 3.0);
    assert!((mean / rate - 1.0).abs() < 0.3, "{mean} is promised, {rate} came");
    let held = model().metrics();
    assert!(held.auc_interval.low - 0.02 < area && area < held.auc_interval.high + 0.02, "{held:?}");
}

#[test]
fn only_what_tells_rows_apart_is_used() {
    let shares = model().importances();
    assert!(shares[0] > 0.1 && shares[1] > 0.1 && shares[2] > 0.02, "flag, count and missing gap: {shares:?}");
    assert_eq!((shares[4], shares[5]), (0.0, 0.0), "constant and absent");
    assert!(matches!(model().missing_rules()[2], MissingRule::Below(value) if value < 0.0));
    assert_eq!(model().missing_rules()[5], MissingRule::Median(0.0));
}

#[test]
fn a_missing_value_raises_the_score_where_it_did_in_training() {
    let mut fresh = table(500, 78);
    fresh.columns[0].fill(0.0);
    fresh.columns[1].fill(8.0);
    fresh.columns[2].fill(15.0);
    let present = scores(model(), &fresh);
    fresh.columns[2].fill(f32::NAN);
    let missing = scores(model(), &fresh);
    let mean = |scores: &[f64]| scores.iter().sum::<f64>() / scores.len() as f64;
    assert!(mean(&missing) > mean(&present) * 1.5, "{} against {}", mean(&missing), mean(&present));
}

#[test]
fn shuffled_labels_teach_nothing() {
    let mut shuffled = table(4_000, 1);
    let label = |row: u64| u8::from(uniform(base::Seed(9), row) < 0.1);
    shuffled.labels = (0..4_000).map(label).collect();
    let metrics = trained(&shuffled, &config()).metrics().clone();
    assert!((metrics.auc - 0.5).abs() < 0.1, "{}", metrics.auc);
    assert!(metrics.expected_calibration_error < 0.05, "{metrics:?}");
}

/// Rows that stand for ten others count ten times in the prior.
#[test]
fn weights_restore_the_prior_of_an_enriched_sample() {
    let weigh = |table: &mut Table| {
        table.weights.iter_mut().zip(&table.labels).for_each(|(w, label)| *w = if *label == 1 { 1.0 } else { 10.0 });
    };
    let (mut enriched, mut fresh) = (table(10_000, 1), table(10_000, 77));
    weigh(&mut enriched);
    weigh(&mut fresh);
    let scores = scores(&trained(&enriched, &config()), &fresh);
    let (mut rate, mut mean, mut total) = (0.0, 0.0, 0.0);
    for (row, score) in scores.iter().enumerate() {
        let weight = f64::from(fresh.weights[row]);
        rate += weight * f64::from(fresh.labels[row]);
        mean += weight * score;
        total += weight;
    }
    assert!(rate / total < 0.006, "one positive in about 240");
    assert!((mean / rate - 1.0).abs() < 0.3, "{} is promised, {} came", mean / total, rate / total);
}

#[test]
fn references_count_the_rows_they_come_from() {
    let held = model().metrics().rows as u64;
    assert_eq!(model().score_reference().counts().rows(), held);
    assert!(model().feature_references().iter().all(|reference| reference.counts().rows() == 4_000 - held));
    assert_eq!(model().feature_references()[5].counts().missing, 4_000 - held);
}

#[test]
fn one_feature_and_a_lone_split_suffice() {
    let mut narrow = table(400, 1);
    narrow.names.truncate(1);
    narrow.columns.truncate(1);
    let config = TrainingConfig { trees: 1, depth_max: 2, split_features: None, ..config() };
    let model = trained(&narrow, &config);
    assert_eq!((model.tree_count(), model.node_count()), (1, 3));
}
