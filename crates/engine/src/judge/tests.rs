use arrow::array::{Int64Array, StringArray};

use super::*;
use crate::spec::ModelUse;

#[test]
fn what_is_known_of_a_chart_is_told_in_words_and_what_is_not_is_left_out() {
    let texts = |texts: [&str; 3]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let numbers = |numbers: [Option<i64>; 3]| Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef;
    let rows = RecordBatch::try_from_iter([
        ("user_key", texts(["u", "u", "u"])),
        ("patient_key", texts(["neighbour", "colleague", "own"])),
        ("first_ms", numbers([Some(1_000), Some(2_000), None])),
        ("last_ms", numbers([Some(5_000), Some(2_000), Some(9_000)])),
        ("events", numbers([Some(4), Some(1), Some(1)])),
        ("reads", numbers([Some(4), Some(0), Some(1)])),
        ("rung", numbers([Some(8), Some(1), None])),
        ("unexplained_days", numbers([Some(6), Some(1), None])),
        ("same_address", numbers([Some(1), Some(0), Some(0)])),
        ("colleague", numbers([None, Some(1), None])),
    ]);
    let told = evidence(&rows.unwrap());
    let flags = |row: usize| told[row].flags.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(told.len(), 2, "a chart that was opened at no time is none");
    assert_eq!(flags(0), ["same address", "unexplained on 6 days before the day of this finding"]);
    assert_eq!(flags(1), ["colleague", "unexplained on 1 day before the day of this finding"]);
    assert_eq!(told[0].actions, [("read".to_owned(), 4)]);
    assert_eq!((told[0].reason.as_str(), told[1].reason.as_str()), ("none found", "in care on the user's unit"));
    assert!(told[1].actions.is_empty() && told[0].accesses == 4, "{told:?}");
}

#[test]
fn nobody_is_told_of_before_a_lane_has_learnt_for_as_long_as_it_must() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/insider-breach");
    let judge = |models| {
        let spec = PipelineSpec::load(&folder, models).unwrap_or_else(|problems| panic!("{problems}"));
        (Judge::new(&spec).unwrap(), spec.learn())
    };
    let born = Timestamp::from_millis(1_767_567_600_000);
    let (scores, learn) = judge(ModelUse::Score);
    assert!(learn > Millis(0));
    assert!(!scores.speaks(born, born + learn - Millis(1)) && scores.speaks(born, born + learn));
    let (pairs_only, _) = judge(ModelUse::PairOnly);
    assert!(!pairs_only.speaks(born, born + learn), "without a score there is nothing to say");
}
