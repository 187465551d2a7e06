//! What was known of each event: who the user is, what links user and patient, what came just before.
//!
//! Reads the reference at the tick's pin and the user's last facts, walks a sorted tick row by row, and fills the
//! columns declared in `seal.rs`, in that order.

mod columns;
mod link;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBuilder, Int32Builder, RecordBatch, StringBuilder};
use base::{FastMap, Millis, Timestamp};
use events::schema::Stream;
use reference::{Known, Reference, StaffView};

use crate::day::{Local, LocalTime};
use crate::error::Result;
use crate::facts::{LastAccess, LastFacts, LastSignIn, distance_km, hash64};
use crate::limits::{
    CHARTED_MAX, DENIAL_SPAN, KNOWN_DAYS_MIN, LAST_SHIFT_MAX, ODD_SIGN_IN_REACH, SESSION_GAP, TWO_PLACES_SPAN,
    TWO_SESSIONS_SPAN,
};
use crate::seal::SortedTick;
use crate::seen::{Seen, SeenToday};
use crate::spec::ProgramSpec;
use columns::{AccessColumns, AuthColumns, Filler, Value, hashed, optional};

/// What a lane keeps between ticks for the seal.
pub(crate) struct Memory {
    pub(crate) facts: FastMap<String, LastFacts>,
    /// Users whose facts the tick has changed.
    pub(crate) touched: BTreeSet<String>,
    pub(crate) seen: Seen,
    pub(crate) seen_today: SeenToday,
    pub(crate) local: LocalTime,
}

impl Memory {
    fn take_out(&mut self, user: &str) -> (String, LastFacts) {
        self.facts.remove_entry(user).unwrap_or_else(|| (user.to_owned(), LastFacts::default()))
    }

    /// Lets go of users who have been silent for long, and names them.
    pub(crate) fn forget(&mut self, at: Timestamp) -> impl Iterator<Item = String> {
        self.facts.extract_if(move |_, facts| facts.is_forgotten(at)).map(|(user, _)| user)
    }

    fn put_back(&mut self, taken: Option<(String, LastFacts)>) {
        if let Some((user, facts)) = taken {
            self.touched.insert(user.clone());
            self.facts.insert(user, facts);
        }
    }
}

/// What is common to all rows of a tick.
pub(crate) struct Enrich<'a> {
    pub(crate) spec: &'a ProgramSpec,
    pub(crate) reference: &'a Reference,
    pub(crate) known: Known<'a>,
}

/// What the reference says of the acting user at an event.
struct Actor<'a> {
    staff: Option<StaffView<'a>>,
    local: Local,
    after_end: bool,
    off_shift: bool,
    known_days: i32,
}

impl Enrich<'_> {
    /// The columns added to each stream of a sorted tick; absent where the stream has no rows.
    pub(crate) fn tick(&self, tick: &SortedTick, memory: &mut Memory) -> Result<Vec<Option<Vec<ArrayRef>>>> {
        let filler = |stream: Stream| {
            tick.streams[stream as usize].as_ref().map(|batch| Filler::new(self.spec, stream, batch.num_rows()))
        };
        let mut fillers: Vec<_> = Stream::ALL.into_iter().map(filler).collect();
        let access = tick.streams[Stream::Access as usize].as_ref().map(|batch| AccessColumns::new(batch, self.spec));
        let auth = tick.streams[Stream::Auth as usize].as_ref().map(|batch| AuthColumns::new(batch, self.spec));
        // Rows of a user stand together: the facts are taken out once.
        let mut open: Option<(String, LastFacts)> = None;
        for (stream, row) in &tick.sequence {
            let users = match stream {
                Stream::Access => access.as_ref().map(|columns| columns.user),
                Stream::Auth => auth.as_ref().map(|columns| columns.user),
            };
            let (Some(users), Some(filler)) = (users, &mut fillers[*stream as usize]) else { continue };
            let user = users.value(*row);
            let facts = match &mut open {
                Some((known, facts)) if *known == user => facts,
                _ => {
                    memory.put_back(open.take());
                    &mut open.insert(memory.take_out(user)).1
                }
            };
            match (stream, &access, &auth) {
                (Stream::Access, Some(columns), _) => self.access(columns, *row, facts, memory, filler),
                (Stream::Auth, _, Some(columns)) => self.auth(columns, *row, facts, memory, filler),
                _ => {}
            }
        }
        memory.put_back(open);
        Ok(fillers.into_iter().map(|filler| filler.map(Filler::finish)).collect())
    }

    fn actor(&self, user: &str, time: Timestamp, facts: &mut LastFacts, local: &mut LocalTime) -> Actor<'_> {
        let staff = self.reference.staff(user, time, &self.known);
        let since = facts.heard(time);
        let working_since = facts.working_since(time);
        let end = staff.as_ref().and_then(|staff| staff.ends).filter(|end| *end <= time);
        let after_end = end.is_some_and(|end| !is_last_shift(working_since, end, time, local));
        let local = local.at(time);
        let off_shift = staff.as_ref().is_some_and(|staff| off_shift(staff.shift, local.hour));
        Actor { staff, local, after_end, off_shift, known_days: whole_days(time - since) }
    }

    /// The values of `COMMON`, in order.
    fn common<'v>(actor: &'v Actor<'_>, user: &str, time: Timestamp, gap: Option<Millis>) -> [Value<'v>; 13] {
        let staff = actor.staff.as_ref();
        let tenure = staff.and_then(|staff| staff.hired).map(|hired| i64::from(whole_days(time - hired)));
        [
            Value::Long(Some(time.millis())),
            Value::Text(staff.and_then(|staff| staff.role)),
            Value::Text(staff.and_then(|staff| staff.unit)),
            Value::Text(staff.and_then(|staff| staff.shift)),
            Value::Text(staff.map(|staff| staff.kind.name())),
            Value::Flag(actor.after_end),
            Value::Long(tenure),
            Value::Int(Some(actor.known_days)),
            Value::Int(Some(actor.local.hour)),
            Value::Flag(actor.local.weekday >= 6),
            Value::Flag(actor.off_shift),
            Value::Long(gap.map(|gap| gap.0)),
            Value::Long(Some(hash64(user))),
        ]
    }

    /// First appearances of the row's values within the horizon, and the note that they were seen. What lies beyond the
    /// horizon is passed over here: a lane that goes on has forgotten it, a restored one may not have yet.
    fn seen<'v, 'a>(
        &self,
        user: &str,
        day: i32,
        seen: impl Iterator<Item = (usize, Option<&'a str>)>,
        memory: &mut Memory,
    ) -> Vec<Value<'v>> {
        let mut values = Vec::new();
        for (kind, value) in seen {
            let horizon = self.spec.seen[kind].horizon_days();
            let last = value.and_then(|value| memory.seen.last_day(kind, user, value));
            let last = last.filter(|last| *last >= day.saturating_sub(horizon));
            values.push(Value::Flag(value.is_some() && last.is_none()));
            values.push(Value::Int(last.map(|last| (day - last).max(0))));
            if let Some(value) = value
                && memory.seen.note(kind, user, value, day)
            {
                let kind = i32::try_from(kind).unwrap_or(i32::MAX);
                memory.seen_today.insert((kind, user.to_owned(), value.to_owned()), day);
            }
        }
        values
    }

    fn access(
        &self,
        columns: &AccessColumns<'_>,
        row: usize,
        facts: &mut LastFacts,
        memory: &mut Memory,
        filler: &mut Filler,
    ) {
        let time = Timestamp::from_millis(columns.time.value(row));
        let user = columns.user.value(row);
        let actor = self.actor(user, time, facts, &mut memory.local);
        let patient = columns.touched(row);
        let patient_h = patient.map(hash64);
        let workstation_h = hashed(columns.workstation, row);
        let link = self.link(user, actor.staff.as_ref(), patient, time);

        let last = facts.access.take();
        let gap = last.as_ref().map(|last| time - last.time);
        let same_session = gap.is_some_and(|gap| gap <= SESSION_GAP);
        let place = last.as_ref().filter(|_| same_session).map_or(1, |last| last.place.saturating_add(1));
        let repeat = patient_h.is_some() && last.as_ref().map(|last| last.patient) == patient_h;
        let moved = last.as_ref().filter(|last| last.workstation != 0);
        let moved = moved.filter(|last| workstation_h.is_some_and(|here| here != last.workstation));
        let elsewhere = moved.is_some_and(|last| time - last.time <= TWO_PLACES_SPAN);
        let left_here = moved.and_then(|last| last.left).filter(|(left, _)| Some(*left) == workstation_h);
        let soon_back = left_here.is_some_and(|(_, at)| time - at <= TWO_PLACES_SPAN);
        // Whoever walks signs in where they get to: a session older than the last access elsewhere was open all the while.
        let elsewhere_lately = moved.filter(|last| time - last.time <= TWO_SESSIONS_SPAN);
        let went_on = elsewhere_lately.zip(workstation_h.and_then(|here| facts.signed_in_at(here)));
        let returned = soon_back || went_on.is_some_and(|(last, signed_in)| signed_in < last.time);
        let left = moved.map_or(last.as_ref().and_then(|last| last.left), |last| Some((last.workstation, last.time)));
        let since_sign_in = facts.sign_in.as_ref().map(|sign_in| (time - sign_in.time).0);
        let odd = facts.odd_sign_in.is_some_and(|odd| time - odd <= ODD_SIGN_IN_REACH);

        let mut values: Vec<Value<'_>> = Self::common(&actor, user, time, gap).into();
        values.extend(link.values());
        values.extend([
            Value::Long(patient_h),
            Value::Long(link.insurer.as_deref().map(hash64)),
            Value::Long(workstation_h),
            Value::Long(hashed(columns.search, row)),
            Value::Long(hashed(columns.reason, row)),
            Value::Long(hashed(columns.resource, row)),
            Value::Int(Some(place)),
            Value::Flag(repeat),
            Value::Long(since_sign_in),
            Value::Flag(odd),
            Value::Flag(elsewhere),
            Value::Flag(returned),
            Value::Flag(false),
            Value::Flag(false),
        ]);
        // What was refused makes nothing familiar.
        let refused = columns.is_refused(row);
        let seen = columns.seen.iter().map(|(kind, column)| (*kind, optional(column, row).filter(|_| !refused)));
        values.extend(self.seen(user, actor.local.day, seen, memory));
        filler.row(values);

        facts.works(time);
        let workstation = workstation_h.unwrap_or(0);
        facts.access = Some(LastAccess { time, patient: patient_h.unwrap_or(0), workstation, left, place });
        let writes = matches!(columns.action.value(row), "create" | "update");
        if let Some(patient) = patient_h.filter(|_| writes) {
            note_charted(&mut facts.charted, patient, time, self.spec.explain_grace);
        }
    }

    fn auth(
        &self,
        columns: &AuthColumns<'_>,
        row: usize,
        facts: &mut LastFacts,
        memory: &mut Memory,
        filler: &mut Filler,
    ) {
        let time = Timestamp::from_millis(columns.time.value(row));
        let user = columns.user.value(row);
        let actor = self.actor(user, time, facts, &mut memory.local);
        let activity = columns.activity.value(row);
        let (success, failure) = match columns.outcome.value(row) {
            "success" => (true, false),
            outcome => (false, outcome == "failure"),
        };
        let sign_in = success && activity == "logon";
        // The exit of a VPN is nowhere the user is.
        let is_vpn = optional(columns.network, row) == Some("vpn");
        let here = (columns.latitude.is_valid(row) && columns.longitude.is_valid(row) && sign_in && !is_vpn)
            .then(|| (columns.latitude.value(row), columns.longitude.value(row)));
        let gap = facts.sign_in.as_ref().map(|before| time - before.time);
        let travelled = facts.placed.zip(here).map(|((at, there), here)| (distance_km(there, here), time - at));
        let speed = travelled.map(|(km, span)| speed_kmh(km, span));
        facts.denials.retain(|denial| time - *denial <= DENIAL_SPAN);
        let device = optional(columns.device, row);
        // Only a sign-in makes a device or place familiar: a challenge that was passed comes right before it.
        let seen = columns.seen.iter().map(|(kind, column)| (*kind, optional(column, row).filter(|_| sign_in)));
        let seen = self.seen(user, actor.local.day, seen, memory);
        let first = |name: &str| {
            let place = columns.seen.iter().position(|(kind, _)| self.spec.seen[*kind].column == name)?;
            matches!(seen.get(place * 2), Some(Value::Flag(true))).then_some(())
        };
        let outside = optional(columns.network, row).is_some_and(|network| network != "internal");
        let familiar_user = i64::from(actor.known_days) >= KNOWN_DAYS_MIN;
        let odd =
            sign_in && familiar_user && (first("country").is_some() || (first("device_key").is_some() && outside));

        let mut values: Vec<Value<'_>> = Self::common(&actor, user, time, gap).into();
        values.extend([
            Value::Long(travelled.map(|(km, _)| km as i64)),
            Value::Long(speed),
            Value::Int(Some(facts.failures)),
            Value::Int(Some(i32::try_from(facts.denials.len()).unwrap_or(i32::MAX))),
            Value::Long(device.map(hash64)),
            Value::Long(hashed(columns.address, row)),
            Value::Flag(odd),
        ]);
        values.extend(seen);
        filler.row(values);

        if success {
            facts.works(time);
        }
        match (activity, failure) {
            ("challenge", true) => facts.denied(time),
            (_, true) => facts.failures = facts.failures.saturating_add(1),
            _ if sign_in => facts.failures = 0,
            _ => {}
        }
        if sign_in {
            facts.denials.clear();
            if let Some(workstation) = hashed(columns.workstation, row) {
                facts.sits_down(workstation, time);
            }
            facts.sign_in = Some(LastSignIn { time, device: device.map_or(0, hash64) });
            facts.placed = here.map(|here| (time, here)).or(facts.placed);
        }
        if odd {
            facts.odd_sign_in = Some(time);
        }
    }
}

/// More than two hours outside the usual hours of a shift; rotating and unknown shifts are never outside.
fn off_shift(shift: Option<&str>, hour: i32) -> bool {
    match shift {
        Some("day") => !(5..21).contains(&hour),
        Some("evening") => (2..11).contains(&hour),
        Some("night") => (9..17).contains(&hour),
        _ => false,
    }
}

/// Whether work goes on that began before employment ended. An end at midnight is the end of a day, and a shift of that
/// day may run over it; an end at any other time is meant to the minute.
fn is_last_shift(since: Timestamp, end: Timestamp, time: Timestamp, local: &mut LocalTime) -> bool {
    since < end && time - end <= LAST_SHIFT_MAX && local.is_midnight(end)
}

fn whole_days(length: Millis) -> i32 {
    i32::try_from(length.0.div_euclid(Millis::days(1).0)).unwrap_or(i32::MAX)
}

/// Kilometres an hour, over at least one minute.
fn speed_kmh(km: f64, gap: Millis) -> i64 {
    let hours = gap.0.max(60_000) as f64 / 3_600_000.0;
    (km / hours) as i64
}

/// Notes that a user wrote to a patient's record; keeps what the grace can still ask for.
fn note_charted(charted: &mut Vec<(i64, Timestamp)>, patient: i64, time: Timestamp, grace: Millis) {
    charted.retain(|(other, at)| *other != patient && time - grace - Millis::minutes(2) <= *at);
    charted.push((patient, time));
    if charted.len() > CHARTED_MAX {
        charted.remove(0);
    }
}

/// Unexplained rows whose grace has passed, looked up once more: the rows of `resolved`.
pub(crate) fn resolve(
    enrich: &Enrich<'_>,
    pending: &RecordBatch,
    facts: &FastMap<String, LastFacts>,
) -> Result<RecordBatch> {
    let columns = AccessColumns::new(pending, enrich.spec);
    let schema = pending.schema();
    let rows = pending.num_rows();
    let at_first = pending.column(schema.index_of("explained")?).as_boolean();
    let (mut rung, mut explained) = (Int32Builder::with_capacity(rows), BooleanBuilder::with_capacity(rows));
    let (mut kind, mut charted) = (StringBuilder::new(), BooleanBuilder::with_capacity(rows));
    let mut later = BooleanBuilder::with_capacity(rows);
    for row in 0..rows {
        let time = Timestamp::from_millis(columns.time.value(row));
        let (user, patient) = (columns.user.value(row), columns.touched(row));
        let staff = enrich.reference.staff(user, time, &enrich.known);
        let link = enrich.link(user, staff.as_ref(), patient, time);
        rung.append_option(link.rung);
        explained.append_value(link.explained);
        later.append_value(link.explained && !at_first.value(row));
        kind.append_option(link.reason_kind);
        let wrote = patient
            .map(hash64)
            .zip(facts.get(user))
            .is_some_and(|(patient, facts)| facts.charted.iter().any(|(other, at)| *other == patient && *at >= time));
        charted.append_value(wrote);
    }
    let mut columns = pending.columns().to_vec();
    let replaced: BTreeMap<&str, ArrayRef> = BTreeMap::from([
        ("rung", Arc::new(rung.finish()) as ArrayRef),
        ("explained", Arc::new(explained.finish()) as ArrayRef),
        ("explained_later", Arc::new(later.finish()) as ArrayRef),
        ("reason_kind", Arc::new(kind.finish()) as ArrayRef),
        ("charted_after", Arc::new(charted.finish()) as ArrayRef),
    ]);
    for (name, column) in replaced {
        let place = schema.index_of(name)?;
        columns[place] = column;
    }
    Ok(RecordBatch::try_new(schema, columns)?)
}

#[cfg(test)]
mod tests;
