//! What differs between houses: how complete the records of reasons are, how much is logged, which sources exist.
//!
//! A model must see many sites, so everything here is drawn per site. Read next: `config.rs`.

use base::Seed;

use crate::draw::Draw;
use crate::limits;
use crate::role::Role;
use crate::{Error, Result};

/// The habits of one house's systems.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Per role (in the order of [`Role::ALL`]): share of this role's reasons that reach the records, 0 to 1.
    pub completeness: [f64; Role::COUNT],
    /// Events logged per chart open, as a factor on the usual number: 0.2 to 5.
    pub verbosity: f64,
    /// Whether the staff directory names the shift.
    pub roster: bool,
    /// Whether second factors are reported.
    pub factors: bool,
    /// Whether sign-ins carry country and position.
    pub places: bool,
    /// Whether consults and on-call cover are recorded.
    pub consults: bool,
    /// Whether work queues (coding, billing, audit, cohorts) are recorded.
    pub work_queues: bool,
    /// Whether patients carry their insurer.
    pub insurer: bool,
    /// Whether patients and staff carry a household.
    pub household: bool,
    /// Whether staff are linked to their own record.
    pub staff_records: bool,
    /// Whether patient rows follow the present ward.
    pub wards: bool,
    /// Whether events name the workstation.
    pub workstation: bool,
    /// Whether access events name the session.
    pub session: bool,
    /// Whether access events name the encounter.
    pub encounter: bool,
    /// Whether access events name the purpose of use.
    pub purpose: bool,
    /// Whether access events name the application.
    pub application: bool,
    /// Whether access events carry the action in the source's own words.
    pub raw_words: bool,
    /// Whether events name the network beside the address.
    pub networks: bool,
    /// Whether pharmacy sign-ins are biometric, with scores.
    pub biometrics: bool,
    /// Whether times are milliseconds since the epoch instead of RFC 3339 text.
    pub epoch_times: bool,
    /// How roles are written: 0 words, 1 short codes, 2 job numbers.
    pub role_coding: u8,
    /// Share of chart opens that hit a wrong patient first.
    pub slips: f64,
    /// Share of consult relations recorded after the chart was opened.
    pub late_relations: f64,
    /// Share of staff who are patients of the house too.
    pub staff_patients: f64,
    /// Share of patients whose record is labelled sensitive.
    pub sensitive: f64,
    /// ISO 3166-1 alpha-2 country of the house.
    pub country: &'static str,
    /// Degrees north of the house.
    pub latitude: f64,
    /// Degrees east of the house.
    pub longitude: f64,
}

/// Towns a house may stand in: country, degrees north, degrees east.
const TOWNS: [(&str, f64, f64); 6] = [
    ("NL", 52.09, 5.12),
    ("DE", 51.34, 12.37),
    ("GB", 53.80, -1.55),
    ("US", 41.50, -81.69),
    ("AR", -34.61, -58.38),
    ("NO", 60.39, 5.32),
];

impl Site {
    /// An honest middle-of-the-road site: most reasons recorded, every source there.
    pub fn small() -> Self {
        // Order of `Role::ALL`; clinical work is nearly always recorded, office work less so.
        let completeness = [0.99, 0.93, 0.92, 0.96, 0.97, 0.96, 0.92, 0.93, 0.90, 0.93, 0.80, 0.45];
        Self {
            completeness,
            verbosity: 1.0,
            roster: true,
            factors: true,
            places: true,
            consults: true,
            work_queues: true,
            insurer: true,
            household: true,
            staff_records: true,
            wards: true,
            workstation: true,
            session: true,
            encounter: true,
            purpose: true,
            application: true,
            raw_words: false,
            networks: false,
            biometrics: true,
            epoch_times: false,
            role_coding: 0,
            slips: 0.005,
            late_relations: 0.25,
            staff_patients: 0.67,
            sensitive: 0.03,
            country: "NL",
            latitude: 52.09,
            longitude: 5.12,
        }
    }

    /// A site with every habit drawn from `seed`.
    pub fn draw(seed: Seed) -> Self {
        let mut draw = Draw::new(seed.child("site"));
        let completeness = std::array::from_fn(|_| draw.between(0.0, 0.95));
        let verbosity = libm::exp(draw.between(libm::log(limits::VERBOSITY.0), libm::log(limits::VERBOSITY.1)));
        let (country, latitude, longitude) = TOWNS[draw.below(TOWNS.len())];
        Self {
            completeness,
            verbosity,
            roster: draw.chance(0.7),
            factors: draw.chance(0.8),
            places: draw.chance(0.7),
            consults: draw.chance(0.7),
            work_queues: draw.chance(0.6),
            insurer: draw.chance(0.7),
            household: draw.chance(0.7),
            staff_records: draw.chance(0.8),
            wards: draw.chance(0.6),
            workstation: draw.chance(0.9),
            session: draw.chance(0.8),
            encounter: draw.chance(0.7),
            purpose: draw.chance(0.6),
            application: draw.chance(0.8),
            raw_words: draw.chance(0.5),
            networks: draw.chance(0.4),
            biometrics: draw.chance(0.4),
            epoch_times: draw.chance(0.3),
            role_coding: draw.below(3) as u8,
            slips: draw.between(0.002, 0.01),
            late_relations: draw.between(0.05, 0.5),
            staff_patients: draw.between(0.60, 0.75),
            sensitive: draw.between(0.01, 0.06),
            country,
            latitude,
            longitude,
        }
    }

    /// Share of `role`'s reasons that reach the records.
    pub(crate) fn completeness(&self, role: Role) -> f64 {
        self.completeness[role as usize]
    }

    pub(crate) fn check(&self) -> Result<()> {
        let share = |name, value| in_range(name, value, 0.0, 1.0);
        self.completeness.iter().try_for_each(|value| share("site.completeness", *value))?;
        share("site.slips", self.slips)?;
        share("site.late_relations", self.late_relations)?;
        share("site.staff_patients", self.staff_patients)?;
        share("site.sensitive", self.sensitive)?;
        in_range("site.verbosity", self.verbosity, limits::VERBOSITY.0, limits::VERBOSITY.1)?;
        in_range("site.latitude", self.latitude, -90.0, 90.0)?;
        in_range("site.longitude", self.longitude, -180.0, 180.0)
    }
}

/// Whether `value` lies in min..=max; not-a-number does not.
pub(crate) fn in_range(name: &'static str, value: f64, min: f64, max: f64) -> Result<()> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(Error::OutOfRange { name, value, min, max }) }
}
