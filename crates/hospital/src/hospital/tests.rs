//! Laws of the hospital: volume, order, equal bytes, conservation, no leaks.

use base::{Seed, Timestamp};

use super::{Day, Hospital, Stream};
use crate::HospitalConfig;

/// 2026-03-02T00:00 in Amsterdam, a Monday.
pub(super) const START: Timestamp = Timestamp::from_millis(1_772_406_000_000);

#[test]
fn probe() {
    let t = std::time::Instant::now();
    let mut hospital = Hospital::new(HospitalConfig::demo(Seed(1), START)).unwrap();
    println!("new {:?} reference {}", t.elapsed(), hospital.initial.len());
    let t = std::time::Instant::now();
    let (mut n, mut bytes, mut auth, mut rows) = (0, 0, 0, 0);
    let mut why = std::collections::BTreeMap::new();
    while let Some(Day { items, truth, reference, date }) = hospital.next_day() {
        n += items.len();
        rows += reference.len();
        bytes += items.iter().map(|i| i.json.len()).sum::<usize>();
        auth += items.iter().filter(|i| i.stream == Stream::Auth).count();
        for t in truth { *why.entry(t.why).or_insert(0) += 1; }
        if date.day() == 3 { println!("{}", String::from_utf8_lossy(&items[items.len()/2].json));println!("{}", String::from_utf8_lossy(&items.iter().find(|i| i.stream==Stream::Auth).unwrap().json)); for r in reference.iter().rev().take(3) { println!("{}", String::from_utf8_lossy(&r.json));} }
    }
    println!("{n} events {auth} auth {bytes} bytes {rows} rows {:?}", t.elapsed());
    println!("{why:?}");
    for i in hospital.incidents() { println!("{i:?}"); }
    println!("{}", hospital.oddities().len());
}
