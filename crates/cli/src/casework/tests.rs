use super::*;

const HOUR: i64 = 3_600_000;

fn row(user: usize, hour: i64, score: f64, rule: bool) -> Row {
    Row { user, end: hour * HOUR, score, rule }
}

fn act(hour: i64, patient: &str) -> Act {
    Act { at: hour * HOUR, patient: Some(patient.to_owned()) }
}

/// User 0 does something at hour 100; user 1 scores high for nothing; a rule fires for user 2.
fn house() -> House {
    House {
        rows: vec![
            row(1, 90, 0.8, false),
            row(0, 101, 0.9, false),
            row(0, 102, 0.95, false),
            row(2, 110, 0.1, true),
            row(1, 200, 0.8, false),
            row(0, 400, 0.9, false),
        ],
        entities: Vec::new(),
        incidents: vec![Incident {
            user: 0,
            scenario: "snoop".to_owned(),
            acts: vec![act(70, "p:8"), act(99, "p:7"), act(100, "p:7")],
            accounts: BTreeSet::from([0, 9]),
        }],
        oddities: BTreeMap::from([(1, vec![("night duty".to_owned(), 80 * HOUR, 95 * HOUR)])]),
        days: 10.0,
    }
}

#[test]
fn a_case_stays_open_for_seven_quiet_days() {
    let at = |threshold| {
        house().cases(threshold, Voices::Model).iter().map(|case| (case.user, case.at / HOUR)).collect::<Vec<_>>()
    };
    // 90 to 200 hours are less than seven days, 102 to 400 are more.
    assert_eq!(at(0.8), [(1, 90), (0, 101), (0, 400)]);
    assert_eq!(at(0.96), []);
}

#[test]
fn an_incident_is_caught_by_a_case_within_a_day_of_an_act() {
    let found = outcome(&[house()], 0.8, Voices::Both);
    assert_eq!((found.cases, found.good, found.caught, found.incidents), (4, 1, 1, 1));
    assert_eq!(found.scenarios["snoop"], (1, 1, vec![31.0]), "31 hours after the first act");
    // The case of hour 400 is about nothing, and so is the rule's; user 1 was on night duty.
    let expected = [("night duty", 1), ("nothing in particular", 2)];
    assert!(found.false_cases.iter().map(|(what, count)| (what.as_str(), *count)).eq(expected));
    assert_eq!((found.precision(), found.recall()), (0.25, 1.0));
}

#[test]
fn a_budget_sets_the_threshold() {
    // Ten days: 0.1 cases a day are one case, 0.3 are three.
    assert_eq!(threshold_for(&[house()], 0.1, Voices::Model), 0.95);
    assert_eq!(threshold_for(&[house()], 0.3, Voices::Model), 0.8);
    let only_rules = threshold_for(&[house()], 0.1, Voices::Both);
    assert_eq!(outcome(&[house()], only_rules, Voices::Both).cases, 1);
}

#[test]
fn cases_of_watches_count_whatever_the_threshold_and_are_about_an_incident_on_their_chart() {
    let watched = |hour: i64, users: &[usize], patient: Option<&str>| EntityCase {
        at: hour * HOUR,
        title: "A crowd".to_owned(),
        users: users.to_vec(),
        patient: patient.map(str::to_owned),
    };
    let entities = vec![
        watched(101, &[0, 5], Some("p:7")),
        watched(102, &[0, 5], Some("p:8")),
        watched(103, &[5], Some("p:7")),
        watched(104, &[9], None),
        watched(300, &[0], None),
    ];
    let house = House { entities, ..house() };
    let counted = |voices| {
        let outcome = outcome(std::slice::from_ref(&house), 2.0, voices);
        (outcome.cases, outcome.good, outcome.caught, outcome.false_cases.get("A crowd").copied())
    };
    // The chart of the incident by its user, and an address whose users are among the culprits; beside the rule's case.
    assert_eq!(counted(Voices::Both), (6, 2, 1, Some(3)));
    assert_eq!(counted(Voices::Rules), (6, 2, 1, Some(3)));
    assert_eq!(counted(Voices::Model), (0, 0, 0, None));
    assert_eq!(outcome(std::slice::from_ref(&house), 2.0, Voices::Both).scenarios["snoop"], (1, 1, vec![31.0]));
    // They take their part of the budget: six of ten days' cases are those of rules and watches.
    assert!(threshold_for(std::slice::from_ref(&house), 0.5, Voices::Both) > 1.0);
    assert_eq!(threshold_for(&[house], 0.8, Voices::Both), 0.9);
}
