use base::Millis;

use super::*;
use crate::lane::fixture::{compiled, spec, with_visitors};

#[test]
fn every_column_that_window_sql_can_use_says_what_it_means() {
    let program = compiled(with_visitors(spec(Millis::minutes(20))));
    for relation in Program::relation_names() {
        let columns = program.relation_columns(relation).unwrap();
        for column in columns.fields() {
            let meaning = program.relation_meaning(relation, column.name());
            assert!(meaning.is_some_and(|meaning| meaning.len() > 5), "`{}` of `{relation}`", column.name());
        }
    }
    let meaning = |column| program.relation_meaning("access", column).unwrap();
    assert_eq!(meaning("patient_new"), "the user's first event with this patient_key within 1d");
    assert_eq!(
        meaning("visitors_events"),
        "events of baseline `visitors` for this patient_key, over 2 days up to the day before yesterday"
    );
    assert_eq!(program.relation_meaning("access", "nothing"), None);
}
