//! What a lookup shows: one version of an entity, its symbols turned back into texts.

use base::Timestamp;

use crate::StaffKind;

/// A member of staff as of some time. All keys and tokens are pseudonyms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StaffView<'a> {
    /// The person's one user key, whichever name was asked for.
    pub user_key: &'a str,
    /// Job role.
    pub role: Option<&'a str>,
    /// Unit or department.
    pub unit: Option<&'a str>,
    /// Usual shift: day, evening, night or rotating.
    pub shift: Option<&'a str>,
    /// User key of the manager.
    pub manager: Option<&'a str>,
    /// First day, from its start.
    pub hired: Option<Timestamp>,
    /// When employment ends; for rows from before genesis only once it has.
    pub ends: Option<Timestamp>,
    /// Patient key of the person's own record.
    pub patient_key: Option<&'a str>,
    /// Household token.
    pub household: Option<&'a str>,
    /// Address token.
    pub address: Option<&'a str>,
    /// Street token and number of the house.
    pub house: Option<(&'a str, u32)>,
    /// Surname token.
    pub surname: Option<&'a str>,
    /// Home, (degrees north, degrees east), rounded to about a kilometre.
    pub home: Option<(f64, f64)>,
    /// Person, service or shared.
    pub kind: StaffKind,
}

/// A patient as of some time. All keys and tokens are pseudonyms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PatientView<'a> {
    /// Household token.
    pub household: Option<&'a str>,
    /// Address token.
    pub address: Option<&'a str>,
    /// Street token and number of the house.
    pub house: Option<(&'a str, u32)>,
    /// Surname token.
    pub surname: Option<&'a str>,
    /// Share of the population that bears the surname, 0 to 1.
    pub surname_frequency: Option<f64>,
    /// Whether the person is known to the public or otherwise protected.
    pub vip: bool,
    /// When the patient died; for rows from before genesis only once reached.
    pub deceased_on: Option<Timestamp>,
    /// User key, if the patient is a member of staff.
    pub staff_user_key: Option<&'a str>,
    /// Insurer.
    pub insurer: Option<&'a str>,
    /// The ward the patient lies on.
    pub unit: Option<&'a str>,
}
