//! Every bound of this crate, in one place. Owns no logic. Read next: `config.rs`, where some of them become settings
//! of librdkafka.

use std::time::Duration;

/// Records one `poll` hands out at most.
pub(crate) const POLL_RECORDS_MAX: usize = 8_192;
/// Bytes of keys, values and headers after which a `poll` stops gathering.
pub(crate) const POLL_BYTES_MAX: usize = 8 << 20;
/// The fewest records a topic of a lane may bring to a `poll`, however many lanes there are.
pub(crate) const POLL_SHARE_MIN: usize = 256;
/// Events served from a client's queue in one go: rebalances, statistics, errors.
pub(crate) const CLIENT_EVENTS_MAX: usize = 10_000;
/// Looks at the group member's queue in one poll: a rebalance is an event or two.
pub(crate) const MEMBER_EVENTS_MAX: usize = 16;
/// The longest sleep between two looks at the queues; they wake the sleeper, this is only the safety net.
pub(crate) const SLEEP_MAX: Duration = Duration::from_millis(100);

/// Bytes fetched ahead per partition.
pub(crate) const PREFETCH_KIB: u32 = 8 << 10;
/// How long a fetcher rests when a partition's queue is full. The library's default of a second leaves a reader idle.
pub(crate) const FETCH_BACKOFF_MS: u32 = 10;
/// How often the input reader learns where partitions end.
pub(crate) const INPUT_STATISTICS_MS: u32 = 1_000;
/// The same for readers that somebody waits for.
pub(crate) const WAITED_STATISTICS_MS: u32 = 20;
/// The same for reference topics, which are read for as long as the process lives.
pub(crate) const REFERENCE_STATISTICS_MS: u32 = 100;
/// How long a broker may hold a fetch open. A partition that is added waits for the fetch under way, so this is also
/// how long starting a lane may take.
pub(crate) const INPUT_FETCH_MS: u32 = 100;
/// The same where partitions are added once and for all; what arrives comes at once anyway.
pub(crate) const LEISURELY_FETCH_MS: u32 = 1_000;
/// The same while somebody waits for one partition after the other.
pub(crate) const WAITED_FETCH_MS: u32 = 10;
/// Statistics that must have arrived since a partition was added before they are believed: one may have been on its way.
pub(crate) const STATISTICS_MIN: u64 = 2;

/// A broker from which nothing has come for as many microseconds is away: it answers each fetch, also with nothing.
pub(crate) const ANSWERS_WITHIN_US: i64 = 5_000_000;
/// How long a fetch may be told to wait, so that this holds.
pub(crate) const FETCH_WAIT_MAX_MS: i64 = ANSWERS_WITHIN_US / 2_000;

/// A record larger than this is refused by producers; our topics accept as much.
pub(crate) const RECORD_BYTES_MAX: usize = 16 << 20;
/// Room in a dead letter for our own headers.
pub(crate) const LETTER_HEADERS_MAX: usize = 16 << 10;
/// What surrounds a record in its batch.
pub(crate) const RECORD_BYTES_ROUND: usize = 4 << 10;
/// Bytes of a record that every topic takes, however it is set up: less than a broker's default.
pub(crate) const RECORD_BYTES_SURE: usize = 900 << 10;
/// Bytes of one part of a stored pane.
pub(crate) const PANE_PART_BYTES_MAX: usize = 512 << 10;
/// Parts of one stored pane.
pub(crate) const PANE_PARTS_MAX: usize = 4_096;

/// How long one question to a broker may take (metadata, watermarks, topic settings).
pub(crate) const REQUEST_MAX: Duration = Duration::from_secs(15);
/// How long brokers that do not answer are asked why.
pub(crate) const REFUSAL_MAX: Duration = Duration::from_secs(3);
/// How long what their client says of it is waited for at a time.
pub(crate) const REFUSAL_PAUSE: Duration = Duration::from_millis(10);
/// How often.
pub(crate) const REFUSAL_LOOKS: u32 = 50;
/// Pause between two looks for a topic that was just created.
pub(crate) const VISIBLE_PAUSE: Duration = Duration::from_millis(20);
/// How long a restore, or a wait for reference rows, may go on without a single record or sign of life.
pub(crate) const READ_STALL_MAX: Duration = Duration::from_secs(30);
/// How long taking up a lane may take: fencing waits until the broker has ended the former owner's transaction.
pub(crate) const OPEN_MAX: Duration = Duration::from_secs(90);
/// After how long a lane's producer closes a connection that nobody uses. While it sends offsets to a coordinator that has
/// left the cluster, nothing but a change of some connection makes it look for the new one (librdkafka issues 5456 and
/// 5511): with the library's default a lane stood still for four minutes.
pub(crate) const PRODUCER_IDLE_MS: u32 = 10_000;
/// How long one transaction is tried, over restarts of the broker; more than its timeout, so that its end is known.
pub(crate) const COMMIT_MAX: Duration = Duration::from_secs(120);
/// One wait of many within [`COMMIT_MAX`].
pub(crate) const COMMIT_STEP: Duration = Duration::from_secs(5);
/// How long a partition may take to be led again before the answer of one that leads it no longer, or not yet, counts.
pub(crate) const LED_MAX: Duration = Duration::from_secs(2);
/// How long an end that lies below what was read is asked for again before it is believed, and how long results are waited
/// for that a journal record counts.
pub(crate) const BEHIND_MAX: Duration = Duration::from_secs(10);
/// How long a broker that has come back may take to know a topic.
pub(crate) const TOPIC_KNOWN_MAX: Duration = Duration::from_secs(2);
/// How long a broker that answers may take until a committed transaction can be read; beyond it, it hangs.
pub(crate) const STABLE_MAX: Duration = Duration::from_secs(2);
/// Offsets before the end of a partition among which a transaction that hangs elsewhere is looked for.
pub(crate) const SWEEP_TAIL: i64 = 20_000;
/// First pause between two looks whether it is; doubled each time.
pub(crate) const STABLE_PAUSE: Duration = Duration::from_millis(2);
/// The longest of them.
pub(crate) const STABLE_PAUSE_MAX: Duration = Duration::from_millis(500);
/// How often an aborted transaction's bytes are produced again.
pub(crate) const ABORTS_MAX: u32 = 5;
/// Pause before an aborted transaction's bytes are produced again.
pub(crate) const ABORT_PAUSE: Duration = Duration::from_millis(100);
/// How long a producer that waits for answers rests between two looks.
pub(crate) const SERVE_PAUSE: Duration = Duration::from_micros(200);
/// How long a producer may wait for room in its own queue.
pub(crate) const SEND_MAX: Duration = Duration::from_secs(60);
/// How often it is said that no broker can be reached.
pub(crate) const DOWN_WARN_EVERY: Duration = Duration::from_secs(30);
/// Half a lane for this long is worth a line in the log.
pub(crate) const HALF_LANE_WARN: Duration = Duration::from_secs(5);
/// How far the clocks of brokers may be from ours when "read to the end now" becomes a statement about append times.
pub(crate) const CLOCK_MARGIN_MS: i64 = 60_000;

/// Records of one source partition that `rekey` holds while others catch up; what lies beyond waits at the broker.
pub(crate) const REKEY_RECORDS_AHEAD: usize = 512;
/// Records of one transaction of `rekey`, unless it is told otherwise.
pub(crate) const REKEY_RECORDS_MAX: usize = 5_000;
/// Bytes of one transaction of `rekey`; one poll's worth may come on top.
pub(crate) const REKEY_BYTES_MAX: usize = 8 << 20;
/// How long `rekey` gathers before it commits less than that.
pub(crate) const REKEY_LINGER: Duration = Duration::from_millis(50);
/// How often `rekey` looks for new source partitions.
pub(crate) const REKEY_PARTITIONS_EVERY: Duration = Duration::from_secs(30);
/// How often `rekey` commits offsets that have not moved: far more often than a broker drops them (a week by default).
pub(crate) const REKEY_RENEW_EVERY: Duration = Duration::from_secs(3_600);
/// How often `rekey` says that it keeps up.
pub(crate) const REKEY_PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// How long ago what is copied may have been all there was, for that to be true.
pub(crate) const REKEY_BEHIND_MAX: Duration = Duration::from_secs(20);
/// After how long without a word of it a topic that it writes is not silent, but waits for it.
pub(crate) const REKEY_SILENT_MAX: Duration = Duration::from_millis(engine::limits::REKEY_SILENT_MAX.0 as u64);
/// How long `rekey` lives through errors that time may heal before it ends.
pub(crate) const REKEY_TROUBLE_MAX: Duration = Duration::from_secs(300);
/// Pause of `rekey` before it opens again.
pub(crate) const REKEY_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Bytes that may stand beside an offset: the broker's default `offset.metadata.max.bytes`.
pub(crate) const REKEY_METADATA_MAX: usize = 4_096;

const _: () = assert!(LETTER_HEADERS_MAX < RECORD_BYTES_SURE && RECORD_BYTES_SURE < RECORD_BYTES_MAX);
const _: () = assert!(PANE_PART_BYTES_MAX < RECORD_BYTES_MAX, "a part of a pane fits into a record");
const _: () = assert!(engine::limits::CROSSING_BYTES_MAX < RECORD_BYTES_MAX / 2, "so does what a watch is told");
const _: () = assert!(engine::limits::RESULT_BYTES_MAX < RECORD_BYTES_MAX / 2, "rough as it is, a record of rows fits");
const _: () = assert!(INPUT_FETCH_MS as i64 <= FETCH_WAIT_MAX_MS && LEISURELY_FETCH_MS as i64 <= FETCH_WAIT_MAX_MS);
const _: () = assert!(REKEY_PROGRESS_EVERY.as_secs() * 3 < REKEY_SILENT_MAX.as_secs(), "a word may be lost");
const _: () = assert!(COMMIT_STEP.as_secs() < COMMIT_MAX.as_secs(), "a commit is tried more than once");
const _: () = assert!(STABLE_MAX.as_secs() < COMMIT_MAX.as_secs(), "what hangs is told from a broker that is away");
const _: () = assert!(POLL_SHARE_MIN <= POLL_RECORDS_MAX, "one topic's share fits into a poll");
