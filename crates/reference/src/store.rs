//! The reference itself: rows go in by position, lookups come out by time and by what is known.
//!
//! Rows already read are skipped by their position, so reading a topic again from any point changes nothing.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use base::{FastMap, Timestamp};
use events::{Fault, Offset, PseudonymKeys, RejectReason};
use jiff::tz::TimeZone;

use crate::ladder::{self, Reason, RelationVersion};
use crate::limits::{SYMBOLS_MAX, VERSIONS_MAX};
use crate::pins::{Log, Sight};
use crate::rows::{self, Row};
use crate::symbols::{Symbol, Symbols};
use crate::versions::{Stamp, Versions};
use crate::{Kind, Known, PatientView, Pins, RelationKind, RowReject, StaffKind, StaffView};

/// How many of what there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Versions held, of all kinds.
    pub versions: usize,
    /// Records without value: ignored, for the past is not to be forgotten.
    pub tombstones: usize,
    /// Rows that could not be taken.
    pub rejects: usize,
    /// Rows read before.
    pub repeats: usize,
    /// Members of staff.
    pub staff: usize,
    /// Patients with a row of their own.
    pub patients: usize,
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Rows taken.
    pub rows: usize,
    /// Rows not taken, with their line numbers from 0.
    pub rejects: Vec<(Offset, RowReject)>,
}

/// Everything the hospital has said, all versions, in memory.
#[derive(Debug)]
pub struct Reference {
    /// Of times that name none.
    zone: TimeZone,
    symbols: Symbols,
    staff: FastMap<Symbol, Versions<StaffVersion>>,
    /// Other names of staff, to the user they stand for.
    names: FastMap<Symbol, Versions<Symbol>>,
    patients: FastMap<Symbol, Versions<PatientVersion>>,
    /// Relations by patient, each list in the order of `RelationVersion::order`.
    relations: FastMap<Symbol, Vec<RelationVersion>>,
    /// The patient a relation was first said to be about.
    relation_patients: FastMap<u64, Symbol>,
    /// All patients of the few relations that were corrected to be about another.
    moved_relations: FastMap<u64, Vec<Symbol>>,
    logs: BTreeMap<(Kind, u32), Log>,
    counts: Counts,
}

#[derive(Debug)]
struct StaffVersion {
    role: Option<Symbol>,
    unit: Option<Symbol>,
    shift: Option<Symbol>,
    manager: Option<Symbol>,
    patient: Option<Symbol>,
    household: Option<Symbol>,
    address: Option<Symbol>,
    house: Option<(Symbol, u32)>,
    surname: Option<Symbol>,
    hired: Option<Timestamp>,
    ends: Option<Timestamp>,
    home: Option<(f32, f32)>,
    kind: StaffKind,
}

#[derive(Debug)]
struct PatientVersion {
    household: Option<Symbol>,
    address: Option<Symbol>,
    house: Option<(Symbol, u32)>,
    surname: Option<Symbol>,
    staff_user: Option<Symbol>,
    insurer: Option<Symbol>,
    unit: Option<Symbol>,
    surname_frequency: Option<f64>,
    deceased_on: Option<Timestamp>,
    vip: bool,
}

impl Reference {
    /// A reference that knows nothing. `zone` is that of the house: times that name none are local.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            symbols: Symbols::default(),
            staff: FastMap::default(),
            names: FastMap::default(),
            patients: FastMap::default(),
            relations: FastMap::default(),
            relation_patients: FastMap::default(),
            moved_relations: FastMap::default(),
            logs: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// Takes a record of a reference topic. An empty value is a tombstone. What was read before is skipped.
    pub fn apply(
        &mut self,
        kind: Kind,
        partition: u32,
        offset: Offset,
        append_time: Timestamp,
        value: &[u8],
        keys: &PseudonymKeys,
    ) -> Result<(), RowReject> {
        if !self.logs.entry((kind, partition)).or_default().note(offset, append_time) {
            self.counts.repeats += 1;
            return Ok(());
        }
        if value.trim_ascii().is_empty() {
            self.counts.tombstones += 1;
            return Ok(());
        }
        let place = Place { partition, offset, append_time };
        let taken = self.take(kind, place, value, keys);
        match taken {
            Ok(()) => self.counts.versions += 1,
            Err(_) => self.counts.rejects += 1,
        }
        taken
    }

    fn take(&mut self, kind: Kind, place: Place, value: &[u8], keys: &PseudonymKeys) -> Result<(), RowReject> {
        if self.counts.versions >= VERSIONS_MAX || self.symbols.len() >= SYMBOLS_MAX {
            let detail = format!("the reference is full: {VERSIONS_MAX} versions, {SYMBOLS_MAX} texts");
            return Err(Fault::new(RejectReason::TooLarge, detail).into());
        }
        match kind {
            Kind::Staff => self.add_staff(place, rows::staff(value, keys, &self.zone)?),
            Kind::Patients => self.add_patient(place, rows::patient(value, keys, &self.zone)?),
            Kind::Relations => self.add_relation(place, &rows::relation(value, keys, &self.zone)?),
        }
        Ok(())
    }

    /// Takes a file of rows, one a line, as partition 0; the offset of a row is its line number, from 0.
    pub fn load_ndjson(&mut self, kind: Kind, bytes: &[u8], append_time: Timestamp, keys: &PseudonymKeys) -> Loaded {
        let mut loaded = Loaded::default();
        for (number, line) in (0..).zip(bytes.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            match self.apply(kind, 0, Offset(number), append_time, line, keys) {
                Ok(()) => loaded.rows += 1,
                Err(reject) => loaded.rejects.push((Offset(number), reject)),
            }
        }
        loaded
    }

    /// Where every partition has been read to.
    pub fn ends(&self) -> Pins {
        let mut pins = Pins::default();
        for ((kind, partition), log) in &self.logs {
            pins.set(*kind, *partition, log.end());
        }
        pins
    }

    /// The pins of a tick: per partition the offset behind the last row appended before the tick's end, and never below
    /// genesis. Fixed only once all partitions have been read that far.
    pub fn pin_at(&self, tick_end: Timestamp, genesis: &Pins) -> Pins {
        let mut pins = genesis.clone();
        for ((kind, partition), log) in &self.logs {
            pins.set(*kind, *partition, log.behind(tick_end).max(genesis.get(*kind, *partition)));
        }
        pins
    }

    /// A row behind genesis that was appended within these times, the later one excluded, if there is any.
    pub fn appended(&self, genesis: &Pins, from: Timestamp, to: Timestamp) -> Option<(Kind, u32, Offset)> {
        self.logs.iter().find_map(|((kind, partition), log)| {
            let row = log.within(genesis.get(*kind, *partition), from, to)?;
            Some((*kind, *partition, row))
        })
    }

    /// How many of what there are.
    pub fn counts(&self) -> Counts {
        Counts { staff: self.staff.len(), patients: self.patients.len(), ..self.counts }
    }

    /// The user key of the person who goes by this name: itself, if it is a user key.
    pub fn user_of(&self, name_key: &str, at: Timestamp, known: &Known<'_>) -> Option<&str> {
        let name = self.symbols.find(name_key)?;
        let mut sight = Sight::new(known, Kind::Staff);
        let user = self.person(name, at, &mut sight);
        self.is_user(user, &mut sight).then(|| self.symbols.text(user))
    }

    /// A member of staff by any of their names.
    pub fn staff(&self, user_key: &str, at: Timestamp, known: &Known<'_>) -> Option<StaffView<'_>> {
        let mut sight = Sight::new(known, Kind::Staff);
        let user = self.person(self.symbols.find(user_key)?, at, &mut sight);
        let (stamp, version) = self.staff.get(&user)?.at(at, &mut sight)?;
        let text = |symbol: Option<Symbol>| symbol.map(|symbol| self.symbols.text(symbol));
        Some(StaffView {
            user_key: self.symbols.text(user),
            role: text(version.role),
            unit: text(version.unit),
            shift: text(version.shift),
            manager: text(version.manager),
            hired: version.hired,
            ends: version.ends.map(|ends| sight.end(stamp, ends)).filter(|ends| *ends < Timestamp::MAX),
            patient_key: text(version.patient),
            household: text(version.household),
            address: text(version.address),
            house: version.house.map(|(street, number)| (self.symbols.text(street), number)),
            surname: text(version.surname),
            home: version.home.map(|(north, east)| (coarse(f64::from(north)), coarse(f64::from(east)))),
            kind: version.kind,
        })
    }

    /// A patient.
    pub fn patient(&self, patient_key: &str, at: Timestamp, known: &Known<'_>) -> Option<PatientView<'_>> {
        let mut sight = Sight::new(known, Kind::Patients);
        let (stamp, version) = self.patients.get(&self.symbols.find(patient_key)?)?.at(at, &mut sight)?;
        let text = |symbol: Option<Symbol>| symbol.map(|symbol| self.symbols.text(symbol));
        Some(PatientView {
            household: text(version.household),
            address: text(version.address),
            house: version.house.map(|(street, number)| (self.symbols.text(street), number)),
            surname: text(version.surname),
            surname_frequency: version.surname_frequency,
            vip: version.vip,
            deceased_on: version.deceased_on.map(|died| sight.end(stamp, died)).filter(|died| *died < Timestamp::MAX),
            staff_user_key: text(version.staff_user),
            insurer: text(version.insurer),
            unit: text(version.unit),
        })
    }

    /// The best reason this user, who works in `user_unit`, had for opening this patient's chart at `at`.
    pub fn reason(
        &self,
        user_key: &str,
        user_unit: Option<&str>,
        patient_key: &str,
        at: Timestamp,
        known: &Known<'_>,
    ) -> Reason {
        let relations = self.symbols.find(patient_key).and_then(|patient| self.relations.get(&patient));
        let Some(relations) = relations else { return Reason::NONE };
        let mut staff_sight = Sight::new(known, Kind::Staff);
        let user = self.symbols.find(user_key).map(|user| self.person(user, at, &mut staff_sight));
        let unit = user_unit.and_then(|unit| self.symbols.find(unit));
        let mut standing = |relation: &RelationVersion| {
            let mut is_user = |name: Option<Symbol>| {
                name.is_some_and(|name| user.is_some_and(|user| self.person(name, at, &mut staff_sight) == user))
            };
            let (own, author) = (is_user(relation.user), is_user(relation.author));
            let mut of_unit = unit.is_some() && relation.unit == unit;
            if let Some(colleague) = relation.user.filter(|_| !own && !of_unit && unit.is_some()) {
                let colleague = self.person(colleague, at, &mut staff_sight);
                let version = self.staff.get(&colleague).and_then(|versions| versions.at(at, &mut staff_sight));
                of_unit = version.is_some_and(|(_, version)| version.unit == unit);
            }
            ladder::Standing { own, of_unit, author }
        };
        ladder::best_reason(relations, at, &mut Sight::new(known, Kind::Relations), &mut standing)
    }

    /// The person behind a name; a user key stands for itself.
    fn person(&self, name: Symbol, at: Timestamp, sight: &mut Sight<'_>) -> Symbol {
        if self.is_user(name, sight) {
            return name;
        }
        let user = self.names.get(&name).and_then(|versions| versions.at(at, sight));
        user.map_or(name, |(_, user)| *user)
    }

    fn is_user(&self, key: Symbol, sight: &mut Sight<'_>) -> bool {
        self.staff.get(&key).is_some_and(|versions| versions.any_seen(sight))
    }

    fn add_staff(&mut self, place: Place, row: Row<rows::Staff>) {
        let stamp = place.stamp(&row);
        let facts = row.facts;
        let user = self.symbols.add(&facts.user);
        for name in &facts.names {
            let name = self.symbols.add(name);
            if name != user {
                self.names.entry(name).or_default().add(stamp, user);
            }
        }
        let house = facts.house.map(|house| (self.symbols.add(&house.street), house.number));
        let mut symbol = |text: Option<String>| text.map(|text| self.symbols.add(&text));
        let version = StaffVersion {
            role: symbol(facts.role),
            unit: symbol(facts.unit),
            shift: symbol(facts.shift),
            manager: symbol(facts.manager),
            patient: symbol(facts.patient),
            household: symbol(facts.household),
            address: symbol(facts.address),
            house,
            surname: symbol(facts.surname),
            hired: facts.hired,
            ends: facts.ends,
            home: facts.home.map(|(north, east)| (north as f32, east as f32)),
            kind: facts.kind,
        };
        self.staff.entry(user).or_default().add(stamp, version);
    }

    fn add_patient(&mut self, place: Place, row: Row<rows::Patient>) {
        let stamp = place.stamp(&row);
        let facts = row.facts;
        let patient = self.symbols.add(&facts.patient);
        let house = facts.house.map(|house| (self.symbols.add(&house.street), house.number));
        let mut symbol = |text: Option<String>| text.map(|text| self.symbols.add(&text));
        let version = PatientVersion {
            household: symbol(facts.household),
            address: symbol(facts.address),
            house,
            surname: symbol(facts.surname),
            staff_user: symbol(facts.staff_user),
            insurer: symbol(facts.insurer),
            unit: symbol(facts.unit),
            surname_frequency: facts.surname_frequency,
            deceased_on: facts.deceased_on,
            vip: facts.vip,
        };
        self.patients.entry(patient).or_default().add(stamp, version);
    }

    fn add_relation(&mut self, place: Place, row: &Row<rows::Relation>) {
        let stamp = place.stamp(row);
        let facts = &row.facts;
        let patient = self.symbols.add(&facts.patient);
        let mut symbol = |text: &Option<String>| text.as_ref().map(|text| self.symbols.add(text));
        let version = RelationVersion {
            id: relation_number(facts.kind, &facts.id),
            kind: facts.kind,
            user: symbol(&facts.user),
            unit: symbol(&facts.unit),
            author: symbol(&facts.author),
            start: facts.from.max(stamp.valid_from),
            end: facts.to.unwrap_or(Timestamp::MAX),
            stamp,
        };
        self.place_relation(patient, version);
    }

    /// Puts a version into its patient's list, and into that of every other patient the relation was ever said to be
    /// about, where it only ends what was said before.
    fn place_relation(&mut self, patient: Symbol, version: RelationVersion) {
        let id = version.id;
        let first = *self.relation_patients.entry(id).or_insert(patient);
        if first != patient || self.moved_relations.contains_key(&id) {
            let moved = self.moved_relations.entry(id).or_insert_with(|| vec![first]);
            if !moved.contains(&patient) {
                moved.push(patient);
                let before = self.relations.get(&first).into_iter().flatten().filter(|known| known.id == id);
                let before = before.map(RelationVersion::ended).collect::<Vec<_>>();
                let list = self.relations.entry(patient).or_default();
                before.into_iter().for_each(|ended| ladder::add(list, ended));
            }
            for other in moved.iter().filter(|other| **other != patient) {
                ladder::add(self.relations.entry(*other).or_default(), version.ended());
            }
        }
        ladder::add(self.relations.entry(patient).or_default(), version);
    }
}

/// Where a row stands in the log.
#[derive(Clone, Copy)]
struct Place {
    partition: u32,
    offset: Offset,
    append_time: Timestamp,
}

impl Place {
    fn stamp<T>(self, row: &Row<T>) -> Stamp {
        let Self { partition, offset, append_time } = self;
        Stamp { valid_from: row.valid_from, offset, partition, append_time, recorded_at: row.recorded_at }
    }
}

/// A relation's kind and id in eight bytes. Of a hundred million relations two share one with a chance of 3 in 10,000.
fn relation_number(kind: RelationKind, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (kind, id).hash(&mut hasher);
    hasher.finish()
}

/// Degrees to about a kilometre: nobody needs a colleague's front door.
pub(crate) fn coarse(degrees: f64) -> f64 {
    (degrees * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
