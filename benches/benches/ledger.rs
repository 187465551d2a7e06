//! Appending to the ledger in a directory: one by one, and in batches.

use std::path::Path;

use base::Timestamp;
use chartwarden_benches::harness::{Bench, Mode, Outcome};
use ledger::{EntryKind, Ledger, SigningKey, Submission, Verdict, verify_directory};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn key() -> SigningKey {
    SigningKey::generate("bench.example/ledger", [7; 32]).expect("a fixed key")
}

/// Appends in batches and verifies the directory; the root is the digest.
fn append(count: u64, batch: usize) -> Outcome {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (log, openings) = (folder.path().join("log"), folder.path().join("openings"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let finding = |number: u64| Submission {
        id: format!("f-{number}"),
        kind: EntryKind::Finding,
        content: format!("{{\"finding\":\"f-{number}\",\"filler\":\"{number:0>900}\"}}").into_bytes(),
    };
    let all: Vec<Submission> = (0..count).map(finding).collect();
    runtime.block_on(async {
        let mut next = 0_u64;
        let mut salts = move || {
            next += 1;
            let mut salt = [0; 32];
            salt[..8].copy_from_slice(&next.to_be_bytes());
            salt
        };
        Ledger::create(&log, &key(), NOW).await.expect("a new ledger");
        let mut ledger = Ledger::open(&log, key(), &openings).await.expect("an open ledger");
        for part in all.chunks(batch) {
            ledger.append(part, None, NOW, &mut salts).await.expect("an append");
        }
        verified(&log, count).await
    })
}

async fn verified(log: &Path, count: u64) -> Outcome {
    let report = verify_directory(log, key().verifier(), &[]).await.expect("a readable ledger");
    assert_eq!(report.verdict, Verdict::Committed, "{:?}", report.problems);
    assert_eq!(report.size, Some(count + 1), "every entry and the genesis");
    Outcome::of(count, report.root.map(|root| root.0))
}

fn main() {
    let mode = Mode::from_arguments();
    Bench::new("ledger append, verified after", "entries", mode)
        .with("one by one", || append(mode.pick(10, 200), 1))
        .with("batches of 64", || append(mode.pick(130, 4_096), 64))
        .with("batches of 1,024", || append(mode.pick(130, 4_096), 1_024))
        .run();
}
