//! The reference against a plain scan over all rows, written from the rules and sharing no code with it.

use proptest::prelude::*;

use super::*;

/// A row in plain words; times in hours.
#[derive(Clone, Debug)]
struct Row {
    partition: u32,
    valid_from: i64,
    recorded_at: Option<i64>,
    says: Says,
    // Set when it is appended.
    offset: i64,
    appended: i64,
}

#[derive(Clone, Debug)]
enum Says {
    Staff {
        user: u8,
        name: Option<u8>,
        unit: u8,
    },
    Relation {
        id: u8,
        kind: RelationKind,
        patient: u8,
        user: Option<u8>,
        unit: Option<u8>,
        author: Option<u8>,
        from: i64,
        to: Option<i64>,
    },
}

impl Row {
    fn kind(&self) -> Kind {
        if matches!(self.says, Says::Staff { .. }) { Kind::Staff } else { Kind::Relations }
    }

    fn json(&self) -> Value {
        let recorded_at = self.recorded_at.map(|hours| hours * HOUR);
        match &self.says {
            Says::Staff { user, name, unit } => json!({"user": user, "names": name.iter().collect::<Vec<_>>(),
                "unit": format!("W{unit}"), "valid_from": self.valid_from * HOUR, "recorded_at": recorded_at}),
            Says::Relation { id, kind, patient, user, unit, author, from, to } => json!({"id": id, "kind": kind,
                "patient": patient, "user": user, "unit": unit.map(|unit| format!("W{unit}")), "author": author,
                "from": from * HOUR, "to": to.map(|hours| hours * HOUR), "valid_from": self.valid_from * HOUR,
                "recorded_at": recorded_at}),
        }
    }
}

struct Naive<'n> {
    rows: &'n [Row],
    genesis: &'n Pins,
    tick_end: i64,
}

impl Naive<'_> {
    fn is_old(&self, row: &Row) -> bool {
        row.offset < self.genesis.get(row.kind(), row.partition).0
    }

    /// The rows known at the tick, in the order in which they hold and correct each other.
    fn seen(&self) -> Vec<&Row> {
        let known = |row: &&Row| match self.is_old(row) {
            true => row.recorded_at.unwrap_or(row.valid_from) < self.tick_end,
            // Append times rise in these tests, so the pin falls exactly there.
            false => row.appended < self.tick_end,
        };
        let mut rows: Vec<_> = self.rows.iter().filter(known).collect();
        rows.sort_by_key(|row| (row.valid_from, row.offset, row.partition));
        rows
    }

    fn person(&self, name: u8, at: i64) -> u8 {
        let seen = self.seen();
        if seen.iter().any(|row| matches!(row.says, Says::Staff { user, .. } if user == name)) {
            return name;
        }
        let mut bearers = seen.iter().filter(|row| row.valid_from <= at).filter_map(|row| match row.says {
            Says::Staff { user, name: Some(other), .. } if other == name && user != name => Some(user),
            _ => None,
        });
        bearers.next_back().unwrap_or(name)
    }

    fn unit(&self, name: u8, at: i64) -> Option<u8> {
        let person = self.person(name, at);
        let seen = self.seen();
        let mut versions = seen.iter().filter(|row| row.valid_from <= at).filter_map(|row| match row.says {
            Says::Staff { user, unit, .. } if user == person => Some(unit),
            _ => None,
        });
        versions.next_back()
    }

    fn rung(&self, who: u8, own_unit: u8, whom: u8, at: i64) -> Rung {
        let seen = self.seen();
        let mut best = Rung::Never;
        for row in &seen {
            let Says::Relation { id, kind, patient, user, unit, author, from, to } = &row.says else { continue };
            if *patient != whom {
                continue;
            }
            let same =
                |other: &&&Row| matches!(&other.says, Says::Relation { id: i, kind: k, .. } if i == id && k == kind);
            let later: Vec<_> = seen.iter().filter(same).filter(|other| other.valid_from >= row.valid_from).collect();
            let corrected = later.iter().any(|other| {
                other.valid_from == row.valid_from && (other.offset, other.partition) > (row.offset, row.partition)
            });
            if corrected {
                continue;
            }
            let followed =
                later.iter().filter(|other| other.valid_from > row.valid_from).map(|other| other.valid_from).min();
            let start = row.valid_from.max(*from);
            let known_end = to.filter(|to| !self.is_old(row) || *to <= self.tick_end);
            let end = known_end.into_iter().chain(followed).min().unwrap_or(i64::MAX);
            let ahead = if *kind == RelationKind::Appointment { 24 } else { 0 };
            if end <= start || start > at + ahead {
                continue;
            }
            let me = self.person(who, at);
            let own = user.is_some_and(|user| self.person(user, at) == me);
            let of_unit = *unit == Some(own_unit)
                || user.is_some_and(|user| self.person(user, at) != me && self.unit(user, at) == Some(own_unit));
            let rung = match at - end {
                _ if at < end && own => Rung::OwnTeamNow,
                _ if at < end && of_unit => Rung::OwnUnitNow,
                _ if at < end => Rung::OtherUnitNow,
                _ if !own && !of_unit => continue,
                0..=24 => Rung::Within24h,
                25..=72 => Rung::Within72h,
                73..=336 => Rung::Within14d,
                _ => Rung::Ever,
            };
            let written = row.recorded_at.unwrap_or(if self.is_old(row) { row.valid_from } else { row.appended });
            let wrote = author.is_some_and(|author| self.person(author, at) == me) && written > at - 24;
            best = best.min(if wrote { Rung::SelfAuthored } else { rung });
        }
        best
    }
}

fn row() -> impl Strategy<Value = Row> {
    let staff = (0..4_u8, proptest::option::of(0..6_u8), 0..3_u8).prop_map(|(user, name, unit)| Says::Staff {
        user,
        name,
        unit,
    });
    let kinds = prop_oneof![Just(RelationKind::Encounter), Just(RelationKind::Appointment), Just(RelationKind::Order)];
    let relation = (
        (0..3_u8, kinds, 0..3_u8),
        prop_oneof![
            (0..6_u8).prop_map(|user| (Some(user), None)),
            (0..3_u8).prop_map(|unit| (None, Some(unit))),
            (0..6_u8, 0..3_u8).prop_map(|(user, unit)| (Some(user), Some(unit))),
        ],
        (proptest::option::of(0..6_u8), 0..400_i64, proptest::option::of(0..600_i64)),
    )
        .prop_map(|((id, kind, patient), (user, unit), (author, from, to))| Says::Relation {
            id,
            kind,
            patient,
            user,
            unit,
            author,
            from,
            to,
        });
    let says = prop_oneof![1 => staff, 3 => relation];
    let time = prop_oneof![0..400_i64, (0..8_i64).prop_map(|step| step * 50)];
    (0..2_u32, time, proptest::option::of(0..500_i64), says).prop_map(|(partition, valid_from, recorded_at, says)| {
        Row { partition, valid_from, recorded_at, says, offset: 0, appended: 0 }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_reason_is_that_of_a_plain_scan(
        rows in proptest::collection::vec(row(), 1..24),
        old in 0..24_usize,
        at in 0..600_i64,
        wait in 0..200_i64,
    ) {
        let mut rows = rows;
        let (mut reference, mut genesis) = (Reference::new(TimeZone::UTC), Pins::default());
        for (index, row) in (0..).zip(&mut rows) {
            if index as usize == old {
                genesis = reference.ends();
            }
            row.offset = reference.ends().get(row.kind(), row.partition).0;
            row.appended = index * 25;
            let value = row.json().to_string();
            reference.apply(row.kind(), row.partition, Offset(row.offset), hour(row.appended), value.as_bytes(), &KEYS).unwrap();
        }
        let tick_end = at + wait;
        let pins = reference.pin_at(hour(tick_end), &genesis);
        let known = Known { pins: &pins, genesis: &genesis, tick_end: hour(tick_end) };
        let naive = Naive { rows: &rows, genesis: &genesis, tick_end };
        for who in 0..6_u8 {
            for whom in 0..3_u8 {
                let own_unit = who % 3;
                let (user, patient) = (KEYS.user(&who.to_string()), KEYS.patient(&whom.to_string()));
                let reason = reference.reason(&user, Some(&format!("W{own_unit}")), &patient, hour(at), &known);
                prop_assert_eq!(reason.rung, naive.rung(who, own_unit, whom, at), "{} {}", who, whom);
                prop_assert_eq!(reason.kind.is_none(), reason.rung == Rung::Never);
            }
            let user = KEYS.user(&who.to_string());
            let unit = reference.staff(&user, hour(at), &known).and_then(|staff| staff.unit.map(str::to_owned));
            prop_assert_eq!(unit, naive.unit(who, at).map(|unit| format!("W{unit}")));
        }
    }
}
