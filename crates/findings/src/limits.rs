//! Every bound of this crate, and how they hold each other.
//!
//! The parts of a finding are bounded so that the whole always fits into one ledger entry, whatever the world wrote
//! into a cell; that is asserted below when this compiles. Read next: `error.rs`, where a broken bound is told.

/// Bytes of one finding: what the ledger takes as one entry's content.
pub const FINDING_BYTES_MAX: usize = 256 * 1024;

/// Largest integer every JSON reader keeps exact: 2^53 - 1.
pub(crate) const JSON_INTEGER_MAX: i64 = (1 << 53) - 1;
/// Its negative.
pub(crate) const JSON_INTEGER_MIN: i64 = -JSON_INTEGER_MAX;

/// Rules of one pipeline.
pub(crate) const RULES_MAX: usize = 128;
/// Bytes of the name of a rule, feature, column, pipeline or model.
pub(crate) const NAME_BYTES_MAX: usize = 64;
/// Bytes of a title or group name.
pub(crate) const TITLE_BYTES_MAX: usize = 120;
/// Bytes of a sentence template.
pub(crate) const TEMPLATE_BYTES_MAX: usize = 360;
/// Placeholders in one template.
pub(crate) const PLACEHOLDERS_MAX: usize = 6;
/// Techniques one rule may name.
pub(crate) const TECHNIQUES_PER_RULE_MAX: usize = 8;

/// Characters of one cell that enter a sentence; more is cut.
pub(crate) const CELL_CHARS_MAX: usize = 40;
/// Bytes of a pseudonym.
pub(crate) const KEY_BYTES_MAX: usize = 128;
/// Characters of a reason; more is cut.
pub(crate) const REASON_CHARS_MAX: usize = 100;
/// Characters of a flag or action name; more is cut.
pub(crate) const FLAG_CHARS_MAX: usize = 32;
/// Flags and action names of one piece of evidence; more is cut, in canonical order.
pub(crate) const EVIDENCE_LIST_MAX: usize = 8;

/// Feature sentences of one finding.
pub(crate) const EXPLAIN_TOP_MAX: usize = 10;
/// Contributions listed in one finding, told or not.
pub(crate) const CONTRIBUTIONS_MAX: usize = 20;
/// Patients shown in one finding.
pub(crate) const EVIDENCE_TOP_MAX: usize = 12;
/// Patients told in sentences; the others stand in the evidence only.
pub(crate) const EVIDENCE_SENTENCES_MAX: usize = 3;
/// Rules told in sentences and named with their titles; the ids of all are listed.
pub(crate) const RULES_TOLD_MAX: usize = 16;
/// Techniques of one finding.
pub(crate) const TECHNIQUES_MAX: usize = 32;
/// Earlier findings of the same case that are named.
pub(crate) const EARLIER_MAX: usize = 32;

/// Updates a policy may allow per case.
pub(crate) const UPDATES_MAX: u32 = 1_000;
/// Patients a case remembers as told; once full, further patients no longer raise updates.
pub(crate) const PATIENTS_MAX: usize = 512;
/// Bytes of a stored case.
pub(crate) const STATE_BYTES_MAX: usize = 192 * 1024;

// How large the parts of a finding can get in JSON. A character of a cell takes at most 4 bytes, a quote or backslash
// 2; control characters, which would take 6, never enter, and names hold neither.
const SENTENCE: usize = 2 * TEMPLATE_BYTES_MAX + PLACEHOLDERS_MAX * (4 * CELL_CHARS_MAX + 32);
const FLAGS: usize = EVIDENCE_LIST_MAX * (4 * FLAG_CHARS_MAX + 4);
const PAIR_SENTENCE: usize = KEY_BYTES_MAX + 160 + 4 * REASON_CHARS_MAX + 2 * FLAGS + EVIDENCE_LIST_MAX * 24;
const PAIR: usize = 2 * PAIR_SENTENCE + FLAGS + 4 * KEY_BYTES_MAX + 400;
const RULE: usize = SENTENCE + 2 * (2 * TITLE_BYTES_MAX) + 2 * NAME_BYTES_MAX + 100;
const FEATURE: usize = 2 * SENTENCE + 4 * NAME_BYTES_MAX + 8 * CELL_CHARS_MAX + 200;
const CONTRIBUTION: usize = 4 * NAME_BYTES_MAX + 8 * CELL_CHARS_MAX + 100;

const _: () = assert!(
    EVIDENCE_TOP_MAX * PAIR
        + EVIDENCE_SENTENCES_MAX * PAIR_SENTENCE
        + RULES_TOLD_MAX * RULE
        + RULES_MAX * 2 * (NAME_BYTES_MAX + 8)
        + EXPLAIN_TOP_MAX * FEATURE
        + CONTRIBUTIONS_MAX * CONTRIBUTION
        + TECHNIQUES_MAX * 320
        + EARLIER_MAX * 160
        + 8 * 1024
        < FINDING_BYTES_MAX
);
const _: () = assert!(
    PATIENTS_MAX * (2 * KEY_BYTES_MAX + 3) + RULES_MAX * (2 * NAME_BYTES_MAX + 3) + EARLIER_MAX * 80 + 2 * 1024
        < STATE_BYTES_MAX
);
