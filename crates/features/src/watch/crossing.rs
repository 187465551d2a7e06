//! What a lane of users says to a lane of a watch, and the record that says it: split by who watches an entity, and cut
//! into pieces that records take.

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use base::Timestamp;

use crate::error::{Error, Result};
use crate::facts::hash64;
use crate::limits::CROSSING_BYTES_MAX;
use crate::sections;
use crate::state::STATES;

/// What one lane has to say of one scoring step to one lane of a watch, or a piece of it: a flood of names that are tried
/// within minutes would be more than a record holds.
#[derive(Clone, Debug)]
pub struct Crossing {
    /// The lane that speaks.
    pub lane: u32,
    /// The end of the step.
    pub end: Timestamp,
    /// The definitions that the states are of.
    pub under: String,
    /// Which piece it is, from 0.
    pub piece: u32,
    /// Whether nothing follows it.
    pub is_last: bool,
    /// States by entity and user; absent where nothing happened.
    pub states: Option<RecordBatch>,
}

impl Crossing {
    /// What each of `lanes` lanes of a watch is to be told, in pieces: entities are spread by a hash of their key.
    pub fn split(
        lane: u32,
        end: Timestamp,
        under: &str,
        states: Option<&RecordBatch>,
        lanes: u32,
    ) -> Result<Vec<Vec<Self>>> {
        let target = |key: Option<&str>| key.map(|key| hash64(key).rem_euclid(i64::from(lanes)));
        let targets: Vec<Option<i64>> =
            states.into_iter().flat_map(|states| states.column(0).as_string::<i32>()).map(target).collect();
        let part = |lane_of_watch: u32| -> Result<Vec<Self>> {
            let ours = Some(i64::from(lane_of_watch));
            let mask: BooleanArray = targets.iter().map(|target| Some(*target == ours)).collect();
            let states = states.filter(|_| mask.true_count() > 0);
            let states = states.map(|states| filter_record_batch(states, &mask)).transpose()?;
            let pieces = states.as_ref().map_or_else(|| vec![None], |states| pieces(states).map(Some).collect());
            let last = pieces.len() - 1;
            let crossing = |(place, states): (usize, Option<RecordBatch>)| {
                let piece = u32::try_from(place).unwrap_or(u32::MAX);
                Self { lane, end, under: under.to_owned(), piece, is_last: place == last, states }
            };
            Ok(pieces.into_iter().enumerate().map(crossing).collect())
        };
        (0..lanes).map(part).collect()
    }

    /// Key and value of the record that says it.
    pub fn encode(&self) -> Result<(Vec<u8>, Vec<u8>)> {
        let value = self.states.as_ref().map(|states| sections::write(&[(STATES.to_owned(), states)]));
        let more = if self.is_last { "" } else { "+" };
        let key = format!("{}/{}/{}/{}{more}", self.lane, self.end.millis(), self.under, self.piece);
        Ok((key.into_bytes(), value.transpose()?.unwrap_or_default()))
    }

    /// The end of the step that a record with this key is about.
    pub fn end_of(key: &[u8]) -> Option<Timestamp> {
        let end = std::str::from_utf8(key).ok()?.split('/').nth(1)?;
        end.parse().ok().map(Timestamp::from_millis)
    }

    /// Which piece of it a record with this key is.
    pub fn piece_of(key: &[u8]) -> Option<u32> {
        std::str::from_utf8(key).ok()?.rsplit('/').next()?.trim_end_matches('+').parse().ok()
    }

    /// Reads what `encode` wrote.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Self> {
        let named = || {
            let text = std::str::from_utf8(key).ok()?;
            let mut parts = text.splitn(4, '/');
            let (lane, end) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            let under = parts.next()?.to_owned();
            // Former versions cut nothing into pieces.
            let piece = parts.next().map_or(Some(0), |piece| Self::piece_of(piece.as_bytes()))?;
            Some((lane, end, under, piece, !text.ends_with('+')))
        };
        let (lane, end, under, piece, is_last) = named().ok_or_else(|| {
            let key = String::from_utf8_lossy(key);
            Error::Crossing(format!("the key `{key}` is not `<lane>/<end>/<definitions>/<piece>`"))
        })?;
        let states = match value {
            [] => None,
            value => sections::read(value)?.pop().map(|(_, states)| states),
        };
        Ok(Self { lane, end: Timestamp::from_millis(end), under, piece, is_last, states })
    }
}

/// States in as many pieces as records take.
fn pieces(states: &RecordBatch) -> impl Iterator<Item = RecordBatch> + '_ {
    let (rows, bytes) = (states.num_rows(), states.get_array_memory_size());
    let pieces = bytes.div_ceil(CROSSING_BYTES_MAX).clamp(1, rows);
    let most = rows.div_ceil(pieces);
    (0..rows).step_by(most).map(move |from| states.slice(from, most.min(rows - from)))
}
