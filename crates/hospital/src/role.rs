//! Roles of staff and kinds of units, and the words a site uses for them.

use serde::{Deserialize, Serialize};

/// What a member of staff is employed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Ward, intensive care, emergency, clinic and float nurses.
    Nurse,
    /// Attending physicians.
    Physician,
    /// Physicians in training.
    Resident,
    /// Hospital pharmacists.
    Pharmacist,
    /// Laboratory technicians.
    LabTechnician,
    /// Registration clerks.
    RegistrationClerk,
    /// Medical coders of the records office.
    Coder,
    /// Billing clerks.
    BillingClerk,
    /// Social workers and case managers.
    SocialWorker,
    /// Researchers with a cohort.
    Researcher,
    /// Quality auditors.
    Auditor,
    /// IT administrators.
    ItAdmin,
}

impl Role {
    /// How many roles there are.
    pub const COUNT: usize = 12;
    /// All roles, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Nurse,
        Self::Physician,
        Self::Resident,
        Self::Pharmacist,
        Self::LabTechnician,
        Self::RegistrationClerk,
        Self::Coder,
        Self::BillingClerk,
        Self::SocialWorker,
        Self::Researcher,
        Self::Auditor,
        Self::ItAdmin,
    ];

    /// The word for the role in one of the codings sites use: words, short codes, job numbers.
    pub(crate) fn word(self, coding: u8) -> &'static str {
        const WORDS: [[&str; 3]; Role::COUNT] = [
            ["nurse", "RN", "J110"],
            ["physician", "MD", "J210"],
            ["resident", "RES", "J220"],
            ["pharmacist", "PharmD", "J310"],
            ["lab technician", "MLT", "J320"],
            ["registration clerk", "REG", "J410"],
            ["coder", "HIM", "J420"],
            ["billing clerk", "BIL", "J430"],
            ["social worker", "MSW", "J510"],
            ["researcher", "RSC", "J610"],
            ["auditor", "QA", "J620"],
            ["it administrator", "IT", "J710"],
        ];
        WORDS[self as usize][usize::from(coding % 3)]
    }

    /// Purpose of use (HL7 v3 ActReason) of this role's work.
    pub(crate) fn purpose(self) -> &'static str {
        match self {
            Self::Coder | Self::BillingClerk => "HPAYMT",
            Self::RegistrationClerk | Self::Auditor | Self::ItAdmin => "HOPERAT",
            Self::Researcher => "HRESCH",
            _ => "TREAT",
        }
    }

    /// Whether the role has a laptop and may sign in from home.
    pub(crate) fn works_remotely(self) -> bool {
        !matches!(self, Self::LabTechnician | Self::RegistrationClerk)
    }

    /// Whether the role moves between workstations instead of having a desk.
    pub(crate) fn roams(self) -> bool {
        matches!(self, Self::Nurse | Self::Physician | Self::Resident | Self::SocialWorker)
    }
}

/// What a unit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnitKind {
    Ward,
    IntensiveCare,
    Emergency,
    Clinic,
    Pharmacy,
    Laboratory,
    Registration,
    Records,
    Billing,
    SocialWork,
    Research,
    Quality,
    It,
    FloatPool,
}

impl UnitKind {
    /// Name and short code, before a number where there are several.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Ward => ("Ward", "WD"),
            Self::IntensiveCare => ("Intensive Care", "IC"),
            Self::Emergency => ("Emergency", "ED"),
            Self::Clinic => ("Clinic", "CL"),
            Self::Pharmacy => ("Pharmacy", "PH"),
            Self::Laboratory => ("Laboratory", "LB"),
            Self::Registration => ("Registration", "RG"),
            Self::Records => ("Records Office", "RO"),
            Self::Billing => ("Billing", "BL"),
            Self::SocialWork => ("Social Work", "SW"),
            Self::Research => ("Research", "RS"),
            Self::Quality => ("Quality", "QA"),
            Self::It => ("IT", "IT"),
            Self::FloatPool => ("Float Pool", "FP"),
        }
    }

    /// Whether patients lie here over night.
    pub(crate) fn has_beds(self) -> bool {
        matches!(self, Self::Ward | Self::IntensiveCare)
    }
}
