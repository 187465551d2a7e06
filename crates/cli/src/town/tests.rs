use clap::Parser as _;

use hospital::Scenario;

use super::Town;

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    town: Town,
}

fn town(flags: &[&str]) -> Town {
    Flags::parse_from(std::iter::once(&"town").chain(flags)).town
}

#[test]
fn the_first_day_begins_at_the_local_midnight() {
    let config = town(&["--start", "2026-01-05"]).config(7, "Europe/Vienna").unwrap();
    // 2026-01-04T23:00:00Z
    assert_eq!(config.start.millis(), 1_767_567_600_000);
    assert_eq!((config.days, config.staff, config.first_incident_day), (28, 300, 14));
}

#[test]
fn short_streams_have_room_for_incidents() {
    assert_eq!(town(&["--days", "10"]).config(7, "Europe/Vienna").unwrap().first_incident_day, 5);
}

#[test]
fn a_site_is_small_or_a_number() {
    assert!(town(&["--site", "17"]).config(7, "Europe/Vienna").is_ok());
    let error = town(&["--site", "large"]).config(7, "Europe/Vienna").unwrap_err();
    assert_eq!(error.to_string(), "site `large` is neither `small` nor a number");
}

#[test]
fn kinds_of_incidents_are_named_with_their_weights() {
    let mix = |kinds: &str| Flags::try_parse_from(["town", "--scenarios", kinds]).map(|flags| flags.town.scenarios);
    let chosen = vec![(Scenario::HouseholdMember, 2.0), (Scenario::CrowdCuriosity, 1.0)];
    assert_eq!(mix("household_member=2,crowd_curiosity").unwrap(), Some(chosen.clone()));
    let town = town(&["--scenarios", "household_member=2,crowd_curiosity"]);
    assert_eq!(town.config(7, "Europe/Vienna").unwrap().scenarios.weights, chosen);
    let told = |kinds: &str| mix(kinds).unwrap_err().to_string();
    assert!(told("household").contains("there is no kind `household`; there are household_member, co_worker,"));
    assert!(told("co_worker=much").contains("the weight `much` of `co_worker` is not a number"));
    for wrong in ["-1", "NaN", "inf", "1e7"] {
        assert!(
            told(&format!("co_worker={wrong}")).contains("`co_worker` is not a number from 0 to 1000000"),
            "{wrong}"
        );
    }
}
