//! The kinds of insider incidents: who can be one, how long they take, how much they open.
//! Read next: `plan.rs` (who, when), `acts.rs` (what they do on a day), `catalogue.rs` (what each is, in words).

use serde::{Deserialize, Serialize};

use crate::draw::Draw;
use crate::role::Role;
use crate::truth::Setting;

/// A kind of incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// Somebody of the own household.
    HouseholdMember,
    /// A colleague's chart.
    CoWorker,
    /// Somebody of note, just admitted.
    VipCuriosity,
    /// An ex-partner or neighbour, again and again.
    ExPartner,
    /// Bulk export and print before leaving.
    LeaverHarvest,
    /// Somebody else signs in with stolen credentials.
    StolenCredentials,
    /// The account is used after its owner left.
    AfterLeaving,
    /// One to three charts a day of one insurer's patients.
    SlowHarvest,
    /// Access rules overridden with good reasons and no care.
    GlassAbuse,
    /// Pushes until one is accepted, then charts.
    MfaFatigue,
    /// A sign-in from too far away too soon.
    ImpossibleTravel,
    /// Searches that open nothing.
    NameFishing,
    /// Research beyond the approved cohort.
    ResearchBeyond,
    /// Changes in the own record.
    OwnRecordTampering,
    /// One password tried on many accounts, until one gives in.
    PasswordSpraying,
    /// A colleague works in the session left open, at another workstation.
    BorrowedSession,
    /// Drugs released for patients who are gone.
    DrugDiversion,
    /// Many staff of many units look at one person of note: each is an incident of the account that looked.
    CrowdCuriosity,
    /// Likewise at a colleague who is in nobody's care: the chart of somebody the house talks about.
    ColleagueCrowd,
}

impl Scenario {
    /// How many kinds there are.
    pub const COUNT: usize = 19;
    /// All kinds.
    pub const ALL: [Self; Self::COUNT] = [
        Self::HouseholdMember,
        Self::CoWorker,
        Self::VipCuriosity,
        Self::ExPartner,
        Self::LeaverHarvest,
        Self::StolenCredentials,
        Self::AfterLeaving,
        Self::SlowHarvest,
        Self::GlassAbuse,
        Self::MfaFatigue,
        Self::ImpossibleTravel,
        Self::NameFishing,
        Self::ResearchBeyond,
        Self::OwnRecordTampering,
        Self::PasswordSpraying,
        Self::BorrowedSession,
        Self::DrugDiversion,
        Self::CrowdCuriosity,
        Self::ColleagueCrowd,
    ];

    /// The name in the truth.
    pub fn name(self) -> &'static str {
        match self {
            Self::HouseholdMember => "household_member",
            Self::CoWorker => "co_worker",
            Self::VipCuriosity => "vip_curiosity",
            Self::ExPartner => "ex_partner",
            Self::LeaverHarvest => "leaver_harvest",
            Self::StolenCredentials => "stolen_credentials",
            Self::AfterLeaving => "after_leaving",
            Self::SlowHarvest => "slow_harvest",
            Self::GlassAbuse => "glass_abuse",
            Self::MfaFatigue => "mfa_fatigue",
            Self::ImpossibleTravel => "impossible_travel",
            Self::NameFishing => "name_fishing",
            Self::ResearchBeyond => "research_beyond",
            Self::OwnRecordTampering => "own_record_tampering",
            Self::PasswordSpraying => "password_spraying",
            Self::BorrowedSession => "borrowed_session",
            Self::DrugDiversion => "drug_diversion",
            Self::CrowdCuriosity => "crowd_curiosity",
            Self::ColleagueCrowd => "colleague_crowd",
        }
    }

    /// Weight in the default mix: most snooping is on family, then colleagues, neighbours, people of note. A crowd comes
    /// once in years, and is asked for by name.
    pub(crate) fn usual_weight(self) -> f64 {
        match self {
            Self::HouseholdMember | Self::CoWorker => 2.0,
            Self::VipCuriosity | Self::ExPartner | Self::StolenCredentials | Self::LeaverHarvest => 1.5,
            Self::CrowdCuriosity | Self::ColleagueCrowd => 0.0,
            _ => 1.0,
        }
    }

    /// Whether somebody of this role can do it.
    pub(crate) fn suits(self, role: Role) -> bool {
        match self {
            Self::ResearchBeyond => role == Role::Researcher,
            Self::DrugDiversion => role == Role::Nurse,
            Self::GlassAbuse => matches!(role, Role::Nurse | Role::Physician | Role::Resident | Role::SocialWorker),
            Self::LeaverHarvest | Self::SlowHarvest | Self::NameFishing => role != Role::LabTechnician,
            _ => true,
        }
    }

    /// Whether the owner of the account acts, so that it can hide behind other work.
    pub(crate) fn can_be_padded(self) -> bool {
        !self.is_takeover() && !self.is_a_crowd() && !matches!(self, Self::AfterLeaving | Self::BorrowedSession)
    }

    /// Whether it is about somebody of note, who was just admitted.
    pub(crate) fn is_about_a_vip(self) -> bool {
        matches!(self, Self::VipCuriosity | Self::CrowdCuriosity)
    }

    /// Whether many do it at once.
    pub(crate) fn is_a_crowd(self) -> bool {
        matches!(self, Self::CrowdCuriosity | Self::ColleagueCrowd)
    }

    /// Whether somebody from outside uses the account.
    pub(crate) fn is_takeover(self) -> bool {
        matches!(self, Self::StolenCredentials | Self::MfaFatigue | Self::ImpossibleTravel | Self::PasswordSpraying)
    }

    /// Acting days wanted, and charts (or searches) on each.
    pub(crate) fn volume(self, setting: Setting, draw: &mut Draw) -> Volume {
        let ((days_loud, loud), (days_quiet, quiet)) = match self {
            Self::HouseholdMember => (((1, 3), (2, 4)), ((1, 3), (1, 2))),
            Self::CoWorker => (((1, 3), (2, 5)), ((1, 3), (1, 2))),
            Self::VipCuriosity => (((1, 2), (2, 4)), ((1, 3), (1, 2))),
            Self::ExPartner => (((6, 9), (1, 3)), ((3, 6), (1, 2))),
            Self::LeaverHarvest => (((1, 3), (60, 130)), ((4, 7), (9, 17))),
            Self::StolenCredentials => (((1, 2), (30, 70)), ((1, 3), (7, 14))),
            Self::AfterLeaving => (((1, 3), (10, 24)), ((1, 3), (3, 6))),
            Self::SlowHarvest => (((8, 12), (3, 4)), ((8, 12), (1, 3))),
            Self::GlassAbuse => (((1, 3), (5, 10)), ((2, 4), (2, 4))),
            Self::MfaFatigue => (((1, 2), (14, 30)), ((1, 2), (4, 9))),
            Self::ImpossibleTravel => (((1, 2), (10, 24)), ((1, 2), (3, 7))),
            Self::NameFishing => (((1, 3), (24, 44)), ((3, 6), (7, 12))),
            Self::ResearchBeyond => (((2, 4), (20, 36)), ((5, 8), (4, 7))),
            Self::OwnRecordTampering => (((1, 3), (2, 4)), ((1, 2), (1, 3))),
            Self::PasswordSpraying => (((1, 2), (8, 16)), ((1, 2), (3, 6))),
            Self::BorrowedSession => (((2, 4), (5, 10)), ((1, 3), (3, 5))),
            Self::DrugDiversion => (((5, 8), (3, 6)), ((4, 7), (1, 3))),
            Self::CrowdCuriosity | Self::ColleagueCrowd => (((1, 2), (1, 3)), ((1, 2), (1, 2))),
        };
        let (days, charts) = if setting == Setting::Loud { (days_loud, loud) } else { (days_quiet, quiet) };
        Volume { days: draw.span(days.0, days.1) as usize, charts }
    }
}

/// How much of a scenario.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume {
    pub(crate) days: usize,
    /// Charts a day: at least, and fewer than.
    pub(crate) charts: (i64, i64),
}
