//! What the hospital can play, in words: the incidents and the innocents who look like them.

use crate::scenario::Scenario;

/// One line of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScenarioInfo {
    /// Name in the truth.
    pub name: &'static str,
    /// What happens.
    pub what: &'static str,
    /// For an incident, the kind of innocent that looks like it; for such an innocent, its own name.
    pub hard_negative: &'static str,
}

const fn info(name: &'static str, what: &'static str, hard_negative: &'static str) -> ScenarioInfo {
    ScenarioInfo { name, what, hard_negative }
}

/// Incidents in the order of [`Scenario::ALL`], then the hard negatives.
const CATALOGUE: [ScenarioInfo; Scenario::COUNT + 13] = [
    info("household_member", "opens the chart of somebody of the own household", "same_surname_in_care"),
    info("co_worker", "opens charts of colleagues of the own unit", "same_surname_in_care"),
    info("vip_curiosity", "opens the chart of somebody of note who was just admitted elsewhere", "vip_on_own_ward"),
    info("ex_partner", "returns for days to the chart of a neighbour or ex-partner", "same_surname_in_care"),
    info("leaver_harvest", "exports and prints many charts between notice and last day", "cohort_export"),
    info("stolen_credentials", "an intruder signs in beside the owner and reads many charts", "telehealth_exit"),
    info("after_leaving", "the account of somebody who left signs in and reads", "return_from_leave"),
    info("slow_harvest", "opens one to three charts a day of one insurer's patients", "month_end_coder"),
    info("glass_abuse", "overrides access rules with good reasons and charts nothing", "trauma_team"),
    info("mfa_fatigue", "pushes are refused until one is accepted, then charts are read", "password_expiry"),
    info("impossible_travel", "a sign-in from too far away too soon, then charts", "conference_travel"),
    info("name_fishing", "searches many names and opens nothing", "month_end_coder"),
    info("research_beyond", "opens and exports charts outside the approved cohort", "cohort_export"),
    info("own_record_tampering", "changes the own record", "return_from_leave"),
    info("password_spraying", "one address tries a password on many accounts, one gives in", "password_expiry"),
    info("borrowed_session", "somebody else works as this user at a second workstation", "double_shift"),
    info("drug_diversion", "releases drugs for patients who already left the unit", "float_nurse"),
    info("crowd_curiosity", "one of many who open the chart of somebody of note without a reason", "trauma_team"),
    info("colleague_crowd", "one of many who open the chart of a colleague in nobody's care", "trauma_team"),
    info("same_surname_in_care", "cares for somebody with the same surname", "same_surname_in_care"),
    info("vip_on_own_ward", "cares for somebody of note", "vip_on_own_ward"),
    info("audit_sample", "audits a large sample of charts across all units", "audit_sample"),
    info("month_end_coder", "codes far more than usual when the books close", "month_end_coder"),
    info("on_call_from_home", "answers calls at night over the VPN", "on_call_from_home"),
    info("password_expiry", "types the old password the morning after it ran out", "password_expiry"),
    info("cohort_export", "exports an approved cohort", "cohort_export"),
    info("float_nurse", "works a shift in another unit", "float_nurse"),
    info("return_from_leave", "comes back after weeks", "return_from_leave"),
    info("double_shift", "stays for a second shift", "double_shift"),
    info("telehealth_exit", "works through a VPN exit in another country", "telehealth_exit"),
    info("trauma_team", "is one of many who open one patient's chart at once", "trauma_team"),
    info("conference_travel", "looks after own patients from a hotel abroad", "conference_travel"),
];

/// Everything the hospital can play: the incidents, then the hard negatives.
pub fn scenarios() -> &'static [ScenarioInfo] {
    &CATALOGUE
}

/// The hard negative that looks like an incident.
pub(crate) fn twin(scenario: Scenario) -> &'static str {
    CATALOGUE[scenario as usize].hard_negative
}
