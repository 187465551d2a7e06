//! Every bound of this crate, and the sums that tie them together. Read next: `forest.rs`, which checks most of them.

/// Features of one model.
pub const FEATURES_MAX: usize = 1_024;
/// Rows of a training table. Covers are row counts kept as `f32`, which is exact up to here.
pub const ROWS_MAX: usize = 1 << 24;
/// Trees of one model.
pub const TREES_MAX: usize = 2_000;
/// Nodes of one model, over all trees.
pub const NODES_MAX: usize = 4_000_000;
/// Levels of nodes in a tree, the root counted. Explaining walks trees by recursion and costs levels squared.
pub const LEVELS_MAX: usize = 32;
/// Bytes of a model's or a feature's name.
pub const NAME_BYTES_MAX: usize = 200;
/// Bytes of the JSON header of a model file.
pub const HEADER_BYTES_MAX: usize = 8 << 20;
/// Bytes of a whole model file.
pub const MODEL_BYTES_MAX: usize = 128 << 20;

/// Rows scored together: their features stay in the first-level cache while all trees pass over them.
pub const BLOCK_ROWS: usize = 64;
/// Rows that walk one tree in step, so that their memory reads overlap.
pub(crate) const LANES: usize = 8;

/// Trees fitted in one call of the trainer; each call has a seed of its own. Part of what a seed means: another
/// value gives other models.
pub(crate) const TREES_PER_FIT: usize = 25;
/// Threads that fit trees. Does not reach the result.
pub(crate) const FIT_THREADS: usize = 2;
/// Resamples behind the intervals of the model card.
pub(crate) const INTERVAL_DRAWS: u64 = 200;
/// Bins of the reliability table and of the drift references.
pub const BINS: usize = 10;
/// Observed rows below which no drift is reported.
pub const DRIFT_ROWS_MIN: u64 = 200;
/// Bins of one drift reference.
pub(crate) const REFERENCE_EDGES_MAX: usize = 64;
/// The scale of scores: they are whole millionths.
pub const SCORE_SCALE: u32 = 1_000_000;
/// How far contributions may miss the score they explain.
pub const ADDITIVITY_ERROR_MAX: f64 = 1e-6;

/// Bytes of one node in the file: feature, threshold, left, value, cover.
const NODE_BYTES: usize = 2 + 4 + 4 + 4 + 4;

const _: () = {
    assert!(FEATURES_MAX < u16::MAX as usize, "the highest feature number marks a leaf");
    assert!(ROWS_MAX <= 1 << 24, "f32 counts exactly up to 2^24");
    assert!(BLOCK_ROWS.is_multiple_of(LANES), "a block is walked lane by lane");
    assert!(NODES_MAX <= u32::MAX as usize, "children are u32");
    assert!(LEVELS_MAX <= u8::MAX as usize, "levels are u8");
    let arrays = NODES_MAX * NODE_BYTES + TREES_MAX * 4;
    assert!(HEADER_BYTES_MAX + arrays + 1_024 <= MODEL_BYTES_MAX, "the largest model fits its file");
};
