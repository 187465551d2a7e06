//! The kinds of rows, of relations and of staff: closed lists with their names.

use serde::{Deserialize, Serialize};

/// Which rows: one topic or file each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Members of staff, service accounts and shared accounts.
    Staff,
    /// Patients.
    Patients,
    /// Relations between a patient and a user or unit.
    Relations,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Staff, Self::Patients, Self::Relations];

    /// The name in configuration, pins and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Patients => "patients",
            Self::Relations => "relations",
        }
    }
}

/// What kind of reason a relation is. Where several explain an access equally well, the first in this order is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// The patient is, or was, treated.
    Encounter,
    /// The patient is expected.
    Appointment,
    /// Something was ordered for the patient.
    Order,
    /// The patient was referred.
    Referral,
    /// Cover for others.
    OnCall,
    /// Member of the patient's care team.
    CareTeam,
    /// The record lies in somebody's queue of work: coding, billing, release of information.
    WorkQueue,
}

impl RelationKind {
    /// All kinds, in order.
    pub const ALL: [Self; 7] = [
        Self::Encounter,
        Self::Appointment,
        Self::Order,
        Self::Referral,
        Self::OnCall,
        Self::CareTeam,
        Self::WorkQueue,
    ];

    /// The name in rows and sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::Encounter => "encounter",
            Self::Appointment => "appointment",
            Self::Order => "order",
            Self::Referral => "referral",
            Self::OnCall => "on_call",
            Self::CareTeam => "care_team",
            Self::WorkQueue => "work_queue",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == text.trim())
    }
}

/// Who stands behind a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StaffKind {
    /// One person.
    #[default]
    Person,
    /// A program.
    Service,
    /// Several people.
    Shared,
}

impl StaffKind {
    /// The name in rows and columns.
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Service => "service",
            Self::Shared => "shared",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Person, Self::Service, Self::Shared].into_iter().find(|kind| kind.name() == text.trim())
    }
}
