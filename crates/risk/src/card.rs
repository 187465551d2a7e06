//! The model card: what a person must know before trusting a model, as Markdown. Every number comes out of the
//! model file; nothing is said that it does not hold. Read next: `evaluation.rs`.

use std::fmt::{self, Write};

use crate::evaluation::{Interval, Metrics};
use crate::model::Model;
use crate::table::MissingRule;

/// Features listed by importance.
const FEATURES_SHOWN: usize = 20;

/// The card of a model.
pub fn card(model: &Model) -> String {
    let mut text = String::new();
    write_card(&mut text, model).expect("writing to a string does not fail");
    text
}

fn write_card(out: &mut String, model: &Model) -> fmt::Result {
    writeln!(out, "# Model card: {}\n", model.name())?;
    writeln!(out, "Digest `{}`\n", model.digest())?;
    write_use(out, model)?;
    write_training(out, model)?;
    write_quality(out, model.metrics())?;
    write_features(out, model)?;
    write_drift(out, model)?;
    writeln!(out, "## Approval\n")?;
    writeln!(out, "Owner: {}  ", stated(&model.provenance().owner))?;
    writeln!(out, "Approved by: ____________________  Date: ____________  ")?;
    writeln!(out, "The model file is not signed: compare its digest with the one above before using it.")
}

fn write_use(out: &mut String, model: &Model) -> fmt::Result {
    writeln!(out, "## Purpose\n")?;
    writeln!(out, "{}\n", stated(&model.provenance().purpose))?;
    writeln!(
        out,
        "It ranks rows for human review. **It is not proof of misconduct** and must not decide about people by \
         itself: most high scores have a good reason, and the reviewer's task is to find it.\n"
    )?;
    writeln!(out, "Known blind spots:\n")?;
    for spot in &model.provenance().blind_spots {
        writeln!(out, "- {spot}")?;
    }
    writeln!(out, "- Kinds of incident that no training row shows: expect clearly lower recall on them.")?;
    writeln!(out, "- Users who share no key with each other but act together.\n")
}

fn write_training(out: &mut String, model: &Model) -> fmt::Result {
    let (provenance, config, header) = (model.provenance(), model.config(), model.header());
    writeln!(out, "## Training\n")?;
    writeln!(out, "| | |\n| --- | --- |")?;
    writeln!(out, "| data | `{}` |", provenance.data_digest)?;
    let (first, end) = (date(provenance.window.start), date(provenance.window.end));
    writeln!(out, "| window | {first} up to, not including, {end} |")?;
    writeln!(out, "| sites | {} |", stated(&provenance.sites.join(", ")))?;
    writeln!(out, "| trainer | {} |", header.trainer)?;
    let (trees, nodes) = (model.tree_count(), model.node_count());
    writeln!(out, "| forest | {trees} trees, {nodes} nodes, up to {} levels |", model.forest().levels())?;
    let (leaf_min, depth_max, seed) = (config.leaf_min, config.depth_max, config.seed);
    let tried = config.split_features(model.features().len());
    writeln!(
        out,
        "| settings | leaves of {leaf_min} rows or more, levels up to {depth_max}, {tried} features tried at a split, seed {seed} |"
    )?;
    writeln!(
        out,
        "| weight of positives | {:.2}, taken back by the calibration; an incident counts as the square root of its rows |",
        header.positive_weight
    )?;
    let platt = model.calibration();
    writeln!(out, "| calibration | Platt: slope {:.4}, intercept {:.4} |\n", platt.slope, platt.intercept)
}

fn write_quality(out: &mut String, metrics: &Metrics) -> fmt::Result {
    writeln!(out, "## Quality on held-out users\n")?;
    writeln!(
        out,
        "{} rows of {} users the trees never saw, {} positive (weighted {:.3} %). Intervals are 95 %, by redrawing \
         users.\n",
        metrics.rows,
        metrics.groups,
        metrics.positives,
        metrics.prevalence * 100.0
    )?;
    let budget = &metrics.budget;
    writeln!(out, "| measure | value |\n| --- | --- |")?;
    writeln!(
        out,
        "| precision at {} rows a day (the held-out users' share of {}) | {:.3} |",
        budget.per_day_held_out, budget.per_day, budget.precision
    )?;
    writeln!(out, "| recall at that budget | {:.3} ({} rows reviewed) |", budget.recall, budget.reviewed)?;
    let precision = range(metrics.average_precision_interval);
    writeln!(out, "| average precision | {:.3} {precision} |", metrics.average_precision)?;
    writeln!(out, "| area under the ROC curve | {:.3} {} |", metrics.auc, range(metrics.auc_interval))?;
    writeln!(out, "| Brier score | {:.6} |", metrics.brier)?;
    writeln!(out, "| expected calibration error | {:.6} |\n", metrics.expected_calibration_error)?;
    if !metrics.cross_fitted {
        writeln!(
            out,
            "The held-out positives belong to one user, so the calibrator was measured on the rows it was fitted on: \
             the last two numbers flatter.\n"
        )?;
    }
    writeln!(out, "| rows | promised | observed |\n| ---: | ---: | ---: |")?;
    for bin in &metrics.reliability {
        writeln!(out, "| {} | {:.6} | {:.6} |", bin.rows, bin.predicted, bin.observed)?;
    }
    writeln!(
        out,
        "\nRates by role, shift and department are not in the model file: compare alert rates between them before \
         approval and after.\n"
    )
}

fn write_features(out: &mut String, model: &Model) -> fmt::Result {
    writeln!(out, "## Features\n")?;
    let mut order: Vec<usize> = (0..model.features().len()).collect();
    order.sort_by(|a, b| model.importances()[*b].total_cmp(&model.importances()[*a]).then(a.cmp(b)));
    writeln!(out, "| feature | unit | share of split gain | missing in training |\n| --- | --- | ---: | ---: |")?;
    for index in order.iter().take(FEATURES_SHOWN) {
        let (spec, counts) = (&model.features()[*index], model.feature_references()[*index].counts());
        let missing = counts.missing as f64 / (counts.rows() as f64).max(1.0);
        let share = model.importances()[*index];
        writeln!(out, "| {} | {} | {:.1} % | {:.1} % |", spec.name, spec.unit, share * 100.0, missing * 100.0)?;
    }
    if order.len() > FEATURES_SHOWN {
        writeln!(out, "\n{} more features follow.", order.len() - FEATURES_SHOWN)?;
    }
    let is_below = |rule: &&MissingRule| matches!(rule, MissingRule::Below(_));
    let below = model.missing_rules().iter().filter(is_below).count();
    writeln!(
        out,
        "\nMissing values: {below} features had some in training and treat them as below every value; the other {} \
         take the median of training.\n",
        model.features().len() - below
    )
}

fn write_drift(out: &mut String, model: &Model) -> fmt::Result {
    writeln!(out, "## Drift limits\n")?;
    writeln!(
        out,
        "Reference bins for {} features and for the score are in the model file. Look at any feature whose \
         population stability index passes 0.1 over a week; retrain or explain above 0.25. Both are convention.\n",
        model.features().len()
    )
}

fn stated(text: &str) -> &str {
    if text.is_empty() { "not stated" } else { text }
}

fn range(interval: Interval) -> String {
    format!("({:.3} to {:.3})", interval.low, interval.high)
}

/// The civil date of a day since 1970-01-01 (proleptic Gregorian); days outside the years 0 to 9999 by number.
fn date(day: i64) -> String {
    if !(-719_528..=2_932_896).contains(&day) {
        return format!("day {day}");
    }
    // Years start in March here, so that the leap day is a year's last: 146,097 days make 400 years.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

#[cfg(test)]
mod tests;
