//! The people around the hospital: households, addresses, surnames. Staff are drawn from them.

use base::Seed;

use crate::draw::Draw;
use crate::limits;
use crate::names::{self, Surnames};
use crate::site::Site;

/// One person; all but some members of staff have a record in the hospital.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) household: u32,
    pub(crate) surname: u16,
    pub(crate) given: u8,
    /// Record number.
    pub(crate) record: u32,
    pub(crate) has_record: bool,
    pub(crate) vip: bool,
    pub(crate) sensitive: bool,
    pub(crate) insurer: u8,
    /// Index of the member of staff this person is.
    pub(crate) staff: Option<u32>,
    pub(crate) deceased: bool,
}

/// People at one address.
#[derive(Clone, Debug)]
pub(crate) struct Household {
    pub(crate) street: u16,
    pub(crate) house: u16,
    pub(crate) members: Vec<u32>,
}

/// Everybody, and where they live.
pub(crate) struct Town {
    pub(crate) persons: Vec<Person>,
    pub(crate) households: Vec<Household>,
    pub(crate) surnames: Surnames,
    /// Person by record number, from [`RECORD_FIRST`] on.
    by_record: Vec<u32>,
    /// Persons from the frailest to the healthiest: the first are ill more often.
    frail: Vec<u32>,
    streets: Vec<(f64, f64)>,
}

/// Record numbers count up from here.
const RECORD_FIRST: u32 = 1_200_000;
const HOUSEHOLDS_PER_STREET: usize = 40;
const INSURERS: usize = 12;
/// Kilometres per degree north.
pub(crate) const KM_PER_DEGREE: f64 = 111.2;

impl Town {
    pub(crate) fn new(seed: Seed, site: &Site, staff: u32) -> Self {
        let mut draw = Draw::new(seed.child("town"));
        let wanted = staff as usize * limits::PERSONS_PER_STAFF;
        let surnames = Surnames::new();
        let mut persons = Vec::with_capacity(wanted);
        let mut households: Vec<Household> = Vec::new();
        let mut streets = Vec::new();
        let mut house = 0;
        while persons.len() < wanted {
            let index = households.len();
            if index.is_multiple_of(HOUSEHOLDS_PER_STREET) {
                streets.push(position(&mut draw, site));
                house = 1;
            } else if !draw.chance(0.15) {
                // The other 15 % share the door of the household before them.
                house += 1;
            }
            let size = 1 + draw.weighted(&[0.38, 0.33, 0.12, 0.12, 0.05]);
            let surname = surnames.draw(&mut draw);
            let insurer = draw.below(INSURERS) as u8;
            let first = persons.len() as u32;
            for place in 0..size {
                let own = place > 0 && draw.chance(0.2);
                persons.push(Person {
                    household: index as u32,
                    surname: if own { surnames.draw(&mut draw) } else { surname },
                    given: draw.below(names::GIVEN) as u8,
                    record: 0,
                    has_record: true,
                    vip: draw.chance(0.003),
                    sensitive: draw.chance(site.sensitive),
                    insurer: if draw.chance(0.2) { draw.below(INSURERS) as u8 } else { insurer },
                    staff: None,
                    deceased: false,
                });
            }
            let members = (first..persons.len() as u32).collect();
            households.push(Household { street: (streets.len() - 1) as u16, house, members });
        }
        let mut by_record: Vec<u32> = (0..persons.len() as u32).collect();
        draw.shuffle(&mut by_record);
        for (number, person) in by_record.iter().enumerate() {
            persons[*person as usize].record = RECORD_FIRST + number as u32;
        }
        // At least two people of note, so that there is somebody to be curious about.
        for _ in 0..2 {
            let person = draw.below(persons.len());
            persons[person].vip = true;
        }
        let mut frail: Vec<u32> = (0..persons.len() as u32).collect();
        draw.shuffle(&mut frail);
        Self { persons, households, surnames, by_record, frail, streets }
    }

    /// The record number as it stands in events.
    pub(crate) fn record(&self, person: u32) -> String {
        self.persons[person as usize].record.to_string()
    }

    /// The person whose record number is `step` after that of `person`, wrapping round.
    pub(crate) fn next_record(&self, person: u32, step: u32) -> u32 {
        let number = self.persons[person as usize].record - RECORD_FIRST + step;
        self.by_record[number as usize % self.by_record.len()]
    }

    /// Somebody who falls ill: the frail more often.
    pub(crate) fn ill(&self, draw: &mut Draw) -> u32 {
        let unit = draw.unit();
        let place = (unit * unit * self.frail.len() as f64) as usize;
        self.frail[place.min(self.frail.len() - 1)]
    }

    /// Anybody.
    pub(crate) fn anybody(&self, draw: &mut Draw) -> u32 {
        draw.below(self.persons.len()) as u32
    }

    /// House number and street.
    pub(crate) fn address(&self, household: u32) -> String {
        let home = &self.households[household as usize];
        format!("{} {}", home.house, names::street(home.street))
    }

    /// Degrees north and east of a home.
    pub(crate) fn position(&self, household: u32) -> (f64, f64) {
        let home = &self.households[household as usize];
        let (latitude, longitude) = self.streets[usize::from(home.street)];
        (latitude + f64::from(home.house) * 0.0002, longitude + f64::from(home.house) * 0.0001)
    }

    /// Households on the same street within three doors, without `household` itself.
    pub(crate) fn neighbours(&self, household: u32) -> Vec<u32> {
        let street = self.households[household as usize].street;
        let from = household.saturating_sub(4);
        let to = (household + 5).min(self.households.len() as u32);
        (from..to).filter(|other| *other != household && self.households[*other as usize].street == street).collect()
    }

    /// Moves somebody to another household.
    pub(crate) fn move_to(&mut self, person: u32, household: u32) {
        let old = self.persons[person as usize].household;
        self.households[old as usize].members.retain(|member| *member != person);
        self.households[household as usize].members.push(person);
        self.persons[person as usize].household = household;
    }

    /// Whether the chart of this person can be opened.
    pub(crate) fn has_chart(&self, person: u32) -> bool {
        self.persons[person as usize].has_record
    }
}

/// Where a street lies: most near the hospital, some in villages up to 30 km away.
fn position(draw: &mut Draw, site: &Site) -> (f64, f64) {
    let kilometres = draw.exponential(6.0).min(30.0);
    let angle = draw.between(0.0, std::f64::consts::TAU);
    let north = kilometres * libm::sin(angle) / KM_PER_DEGREE;
    let scale = libm::cos(site.latitude.to_radians()).max(0.2);
    let east = kilometres * libm::cos(angle) / KM_PER_DEGREE / scale;
    (site.latitude + north, site.longitude + east)
}
