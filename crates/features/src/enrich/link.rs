//! What links a user and a patient: the documented reason, and who they are to each other.

use base::Timestamp;
use reference::StaffView;

use super::Enrich;
use super::columns::Value;

/// How far apart the numbers of neighbours' houses are: three doors, where one side of a street has every second number.
const NEIGHBOUR_NUMBERS_MAX: u32 = 6;

impl Enrich<'_> {
    /// What links a user and a patient at a point in time, as far as known.
    pub(super) fn link(
        &self,
        user: &str,
        staff: Option<&StaffView<'_>>,
        patient: Option<&str>,
        time: Timestamp,
    ) -> Link {
        let Some(key) = patient else { return Link { explained: true, ..Link::default() } };
        let reason = self.reference.reason(user, staff.and_then(|staff| staff.unit), key, time, &self.known);
        let patient = self.reference.patient(key, time, &self.known);
        let patient = patient.as_ref();
        let same = |mine: Option<&str>, theirs: Option<&str>| mine.is_some() && mine == theirs;
        // Either half of the reference may be the one that knows.
        let person = |name| self.reference.user_of(name, time, &self.known).unwrap_or(name);
        let linked = patient.and_then(|patient| patient.staff_user_key).map(person);
        let own = staff.is_some_and(|staff| staff.patient_key == Some(key)) || linked == Some(person(user));
        let colleague = linked.filter(|_| !own);
        let colleague_unit = colleague.and_then(|other| self.reference.staff(other, time, &self.known)?.unit);
        let unit = patient.and_then(|patient| patient.unit);
        let same_household =
            !own && same(staff.and_then(|staff| staff.household), patient.and_then(|patient| patient.household));
        let same_address =
            !own && same(staff.and_then(|staff| staff.address), patient.and_then(|patient| patient.address));
        let houses = staff.and_then(|staff| staff.house).zip(patient.and_then(|patient| patient.house));
        let near = houses.is_some_and(|((street, number), (other, door))| {
            street == other && number.abs_diff(door) <= NEIGHBOUR_NUMBERS_MAX
        });
        let rung = i32::from(reason.rung.index());
        Link {
            rung: Some(rung),
            explained: rung <= i32::from(self.spec.explained_rung),
            reason_kind: reason.kind.map(|kind| kind.name()),
            own_record: own,
            colleague: colleague.is_some(),
            colleague_same_unit: same(staff.and_then(|staff| staff.unit), colleague_unit),
            same_household,
            same_address,
            neighbour: near && !own && !same_household && !same_address,
            same_surname: !own
                && same(staff.and_then(|staff| staff.surname), patient.and_then(|patient| patient.surname)),
            surname_ppm: patient
                .and_then(|patient| patient.surname_frequency)
                .map(|share| libm::round(share * 1e6) as i64),
            vip: patient.is_some_and(|patient| patient.vip),
            deceased: patient.is_some_and(|patient| patient.deceased_on.is_some_and(|day| day <= time)),
            other_unit: unit.is_some() && !same(staff.and_then(|staff| staff.unit), unit),
            insurer: patient.and_then(|patient| patient.insurer).map(str::to_owned),
        }
    }
}

/// What links a user and a patient.
#[derive(Default)]
pub(super) struct Link {
    pub(super) rung: Option<i32>,
    pub(super) explained: bool,
    pub(super) reason_kind: Option<&'static str>,
    own_record: bool,
    colleague: bool,
    colleague_same_unit: bool,
    same_household: bool,
    same_address: bool,
    neighbour: bool,
    same_surname: bool,
    surname_ppm: Option<i64>,
    vip: bool,
    deceased: bool,
    other_unit: bool,
    pub(super) insurer: Option<String>,
}

impl Link {
    /// The first fourteen columns of `seal::ACCESS`, in order.
    pub(super) fn values(&self) -> [Value<'static>; 14] {
        [
            Value::Int(self.rung),
            Value::Flag(self.explained),
            Value::Text(self.reason_kind),
            Value::Flag(self.own_record),
            Value::Flag(self.colleague),
            Value::Flag(self.colleague_same_unit),
            Value::Flag(self.same_household),
            Value::Flag(self.same_address),
            Value::Flag(self.neighbour),
            Value::Flag(self.same_surname),
            Value::Long(self.surname_ppm),
            Value::Flag(self.vip),
            Value::Flag(self.deceased),
            Value::Flag(self.other_unit),
        ]
    }
}
