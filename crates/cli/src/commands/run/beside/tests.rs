use engine::{Metrics, ModelUse};
use ledger::Verdict;
use tempfile::TempDir;

use super::*;
use crate::anchor::{self, runtime};
use crate::report::{kind, what};
use crate::shipped;

/// A folder with a ledger, and what `run` has before any lane joins; nobody answers where its broker should be.
struct House {
    dir: TempDir,
    spec: PipelineSpec,
    config: Config,
    keys: Arc<PseudonymKeys>,
    shown: Arc<Shown>,
    over: AtomicBool,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("keys")).unwrap();
        anchor::init(&Places::under(dir.path()), "hospital.example/log").unwrap();
        let spec = shipped::load(ModelUse::Record).unwrap();
        let shown = Shown::new(Metrics::new(&spec).unwrap());
        Self {
            dir,
            spec,
            config: Config::new("nowhere:9092", "group", "prefix"),
            keys: Arc::new(PseudonymKeys::generate("1", std::array::from_fn(|byte| byte as u8)).unwrap()),
            shown,
            over: AtomicBool::new(false),
        }
    }

    fn beside(&self) -> Beside<'_> {
        Beside {
            spec: &self.spec,
            config: &self.config,
            keys: &self.keys,
            shown: &self.shown,
            lanes: 1,
            archive: self.dir.path().join("archive"),
            places: Places::under(self.dir.path()),
            over: &self.over,
        }
    }
}

#[test]
fn a_ledger_that_is_damaged_is_refused_at_the_start_and_waited_for_later() {
    let house = House::new();
    let beside = house.beside();
    let checkpoint = beside.places.log.join("checkpoint");
    let whole = std::fs::read(&checkpoint).unwrap();
    let mut spoilt = whole.clone();
    // Within the signature: the text of it is what was signed.
    let last = spoilt.len() - 10;
    spoilt[last] ^= 1;
    std::fs::write(&checkpoint, &spoilt).unwrap();
    let keeper = Keeper { retry_min: Duration::from_millis(1), ..beside.keeper(Sink::Ledger) };
    let refused = keeper.at_start(beside.open_ledger()).err().expect("a damaged ledger is opened");
    assert_eq!(kind(&refused).exit_code(), 1, "{}", what(&refused));
    assert!(what(&refused).contains("checkpoint"), "{}", what(&refused));

    let mut tries = 0;
    let open = || {
        tries += 1;
        if tries == 3 {
            std::fs::write(&checkpoint, &whole).unwrap();
        }
        beside.open_ledger()
    };
    let mut entries = 0;
    let live = |anchor: &mut Anchor| {
        entries = anchor.entries();
        Ok(())
    };
    keeper.keep(None, open, live).unwrap();
    assert_eq!((tries, entries), (3, 1), "two that failed, and one that found it mended");
    let vkey = ledger::VerifierKey::load(&beside.places.vkey, &beside.places.log).unwrap();
    let report = runtime().unwrap().block_on(ledger::verify_directory(&beside.places.log, &vkey, &[])).unwrap();
    assert_eq!(report.verdict, Verdict::Committed, "those who tried have left it as it was");
}

#[test]
fn no_archive_is_begun_where_one_is_gone() {
    let house = House::new();
    let beside = house.beside();
    let refused = |holds: bool| {
        let error = beside.open_archive(false, holds).err().expect("there is no archive");
        assert!(what(&error).contains("the archive's folder is gone or empty"), "{}", what(&error));
    };
    refused(false);
    assert!(!beside.archive.exists());
    // What a disk leaves that was mounted there.
    std::fs::create_dir(&beside.archive).unwrap();
    refused(true);
}

#[test]
fn a_log_that_was_set_back_is_not_gone_on_with() {
    let log = Path::new("data/ledger");
    for (had, has) in [(0, 1), (7, 7), (7, 8)] {
        check_not_set_back(had, has, log).unwrap();
    }
    let error = check_not_set_back(7, 6, log).unwrap_err();
    assert_eq!(kind(&error), Kind::Corrupt);
    assert_eq!(what(&error), "the log has 6 entries, and had 7 when this process last wrote it: it was set back");
}

#[test]
fn what_came_too_late_is_remembered_and_nothing_else() {
    let late = Late {
        folder: "archive".into(),
        lane: engine::ports::LaneId(3),
        stream: "features".to_owned(),
        tick_end: base::Timestamp::from_millis(300_000),
    };
    let error = anyhow::Error::from(archive::Error::from(late.clone())).context("archiving");
    assert_eq!(late_in(&error), Some(late));
    let other = archive::Error::Replay("something else".to_owned()).into();
    assert_eq!(late_in(&other), None);
}
