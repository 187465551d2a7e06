//! What a lane holds itself to before anything of it is stored, and what it takes up of who had it before.

use std::path::Path;
use std::sync::Arc;

use events::PseudonymKeys;
use findings::{Activity, Severity};
use reference::Pins;

use super::*;
use crate::ports::PortError;
use crate::spec::{ModelUse, PipelineSpec};

type Head = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store with a head and nothing else.
struct HeadOnly(Head);

impl LaneStore for HeadOnly {
    fn head(&mut self) -> std::result::Result<Head, PortError> {
        Ok(self.0.clone())
    }

    fn panes(&mut self, _: Tier, _: Timestamp) -> std::result::Result<Vec<StoredPane>, PortError> {
        Ok(Vec::new())
    }

    fn commit(&mut self, _: Transaction) -> std::result::Result<(), PortError> {
        Ok(())
    }

    fn trim(&mut self, _: Tier, _: Timestamp) -> std::result::Result<(), PortError> {
        Ok(())
    }
}

fn opened(head: Head) -> Worker {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/insider-breach");
    let spec = PipelineSpec::load(&folder, ModelUse::PairOnly).unwrap_or_else(|problems| panic!("{problems}"));
    let keys = Arc::new(PseudonymKeys::generate("1", std::array::from_fn(|byte| byte as u8)).unwrap());
    let (store, start) = (Box::new(HeadOnly(head)), [Offset(0); 2]);
    Worker::open(LaneId(0), &spec, &keys, store, 1, &start, Pins::default(), None).unwrap()
}

fn message(bytes: usize) -> Message {
    Message { key: Vec::new(), value: vec![0; bytes], headers: Vec::new() }
}

#[test]
fn a_record_that_does_not_follow_or_does_not_add_up_is_not_committed() {
    let mut worker = opened(Head::new());
    worker.commit_without_tick().unwrap();
    worker.last_record.as_mut().unwrap().sequence += 1;
    let told = worker.commit_without_tick().unwrap_err();
    assert!(matches!(&told, Error::Law(law) if law.starts_with("once: ")), "{told}");

    let mut record = opened(Head::new()).last_record.unwrap();
    record.counts[1].read += 1;
    let head = Head::from([(JOURNAL.to_vec(), serde_json::to_vec(&record).unwrap())]);
    let told = opened(head).commit_without_tick().unwrap_err();
    assert!(matches!(&told, Error::Law(law) if law.starts_with("conservation: topic 1")), "{told}");
}

#[test]
fn a_finding_that_names_a_person_does_not_leave_and_the_name_is_not_told() {
    let finding = |subject: &str| Finding {
        id: "f-1".to_owned(),
        case_id: "c-1".to_owned(),
        subject: subject.to_owned(),
        tick_end: Timestamp::from_millis(60_000),
        activity: Activity::Opened,
        severity: Severity::Medium,
        score: 0.5,
        title: String::new(),
        sentences: Vec::new(),
        rules: Vec::new(),
        bytes: b"{}".to_vec(),
    };
    let mut open = Transaction::default();
    tell_findings(&[finding("u1:abcdefghijklmnopqrstuvwxyz")], &mut open).unwrap();
    let told = tell_findings(&[finding("jane.doe")], &mut open).unwrap_err();
    assert!(matches!(&told, Error::Law(law) if law.starts_with("privacy: ") && !law.contains("jane")), "{told}");
    assert_eq!((open.findings.len(), open.results.len()), (1, 1));
}

#[test]
fn a_transaction_is_full_by_its_bytes_whatever_they_are_and_by_its_ticks() {
    let mut worker = opened(Head::new());
    let parts: [fn(&mut Transaction, usize); 6] = [
        |open, bytes| open.findings.push(message(bytes)),
        |open, bytes| open.results.push(message(bytes)),
        |open, bytes| open.journal.push(message(bytes)),
        |open, bytes| open.crossings.push((TopicId(0), LaneId(0), message(bytes))),
        |open, bytes| {
            open.panes.push((Tier::Minute, StoredPane { end: Timestamp::from_millis(0), bytes: vec![0; bytes] }));
        },
        |open, bytes| drop(open.head.insert(Vec::new(), Some(vec![0; bytes]))),
    ];
    for (place, put) in parts.iter().enumerate() {
        for (bytes, is_full) in [(TRANSACTION_BYTES_MAX - 1, false), (TRANSACTION_BYTES_MAX, true)] {
            worker.open = Transaction::default();
            put(&mut worker.open, bytes);
            assert_eq!(worker.is_full(), is_full, "{bytes} bytes of part {place}");
        }
    }
    worker.open = Transaction::default();
    worker.open_ticks = TRANSACTION_TICKS_MAX - 1;
    assert!(!worker.is_full());
    worker.open_ticks += 1;
    assert!(worker.is_full());
}

/// Nobody is told of while a lane learns; one that learns anew at every start would never tell of anybody.
#[test]
fn a_lane_goes_on_learning_from_its_first_tick_whoever_has_it() {
    assert_eq!(opened(Head::new()).born, None);
    let worker = opened(Head::from([(BORN.to_vec(), b"1767567600000".to_vec())]));
    assert_eq!(worker.born, Some(Timestamp::from_millis(1_767_567_600_000)));
}

/// By its epoch a process of former definitions sees that the lane went on without it.
#[test]
fn the_epoch_that_an_upgrade_raised_stays_raised() {
    let mut record = opened(Head::new()).last_record.unwrap();
    record.epoch = 3;
    let mut worker = opened(Head::from([(JOURNAL.to_vec(), serde_json::to_vec(&record).unwrap())]));
    worker.commit_without_tick().unwrap();
    let next = worker.last_record.unwrap();
    assert_eq!((next.epoch, next.sequence), (3, record.sequence + 1));
}
