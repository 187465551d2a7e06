//! What hospital is wanted. Checked once, in [`HospitalConfig::check`], then trusted.

use base::{Seed, Timestamp};

use crate::Error;
use crate::Result;
use crate::limits;
use crate::scenario::Scenario;
use crate::site::{Site, in_range};

/// Everything a hospital is made from. Equal configurations give equal bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct HospitalConfig {
    /// Where all draws start.
    pub seed: Seed,
    /// The habits of the house's systems.
    pub site: Site,
    /// Members of staff, 60 to 20,000.
    pub staff: u32,
    /// First instant of the stream: a local midnight.
    pub start: Timestamp,
    /// Length of the stream in local days, 1 to 730.
    pub days: u32,
    /// Which incidents happen, and how many.
    pub scenarios: Mix,
    /// IANA time zone of the house.
    pub time_zone: String,
    /// First day (from 0) on which an incident may act; before it, baselines can learn.
    pub first_incident_day: u32,
}

/// How many incidents of which kinds. The number is stratified: it stays near its mean for any seed, and no kind
/// comes twice before every kind with a weight came once.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// Incidents per 1,000 staff per 28 days of the stream, at most 400.
    pub incidents_per_1000: f64,
    /// The kinds and their weights; a kind without a positive weight does not occur.
    pub weights: Vec<(Scenario, f64)>,
    /// Share of incidents on charts that hide behind covering accesses.
    pub padded_share: f64,
    /// Share of incidents in the loud setting.
    pub loud_share: f64,
}

impl Default for Mix {
    /// Far more than real life (0.1 to 0.5 % of staff a month), for statistical power: thin back before judging.
    fn default() -> Self {
        let weights = Scenario::ALL.iter().map(|scenario| (*scenario, scenario.usual_weight())).collect();
        Self { incidents_per_1000: 36.0, weights, padded_share: 0.25, loud_share: 0.5 }
    }
}

impl Mix {
    /// No incident at all.
    pub fn none() -> Self {
        Self { incidents_per_1000: 0.0, ..Self::default() }
    }

    /// The mean number of incidents in a stream of this size.
    pub(crate) fn mean(&self, staff: u32, days: u32) -> f64 {
        self.incidents_per_1000 * f64::from(staff) / 1000.0 * f64::from(days) / 28.0
    }
}

impl HospitalConfig {
    /// The demo's hospital: 300 staff over 28 days from this local midnight in Amsterdam, incidents from day 14.
    pub fn demo(seed: Seed, start: Timestamp) -> Self {
        Self {
            seed,
            site: Site::small(),
            staff: 300,
            start,
            days: 28,
            scenarios: Mix::default(),
            time_zone: "Europe/Amsterdam".to_owned(),
            first_incident_day: 14,
        }
    }

    /// Refuses what cannot be simulated.
    pub fn check(&self) -> Result<()> {
        let whole =
            |name, value: u32, min: u32, max: u32| in_range(name, f64::from(value), f64::from(min), f64::from(max));
        whole("staff", self.staff, limits::STAFF_MIN, limits::STAFF_MAX)?;
        whole("days", self.days, 1, limits::DAYS_MAX)?;
        self.site.check()?;
        let mix = &self.scenarios;
        in_range("incidents per 1000 staff", mix.incidents_per_1000, 0.0, limits::INCIDENT_RATE_MAX)?;
        in_range("padded share", mix.padded_share, 0.0, 1.0)?;
        in_range("loud share", mix.loud_share, 0.0, 1.0)?;
        mix.weights.iter().try_for_each(|(_, weight)| in_range("scenario weight", *weight, 0.0, limits::WEIGHT_MAX))?;
        let min = limits::INCIDENT_DAYS_MIN;
        if mix.incidents_per_1000 > 0.0 && self.first_incident_day.saturating_add(min) > self.days {
            return Err(Error::NoRoom { first: self.first_incident_day, days: self.days, min });
        }
        Ok(())
    }
}
