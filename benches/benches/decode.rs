//! Decoding beside a bare serde_json loop over the same bytes.

use chartwarden_benches::bare;
use chartwarden_benches::harness::{Bench, Mode, Outcome};
use chartwarden_benches::world::World;

use arrow::array::AsArray as _;
use events::{Decoder, Format, Stream};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records of one call.
const BATCH: usize = 5_000;

fn main() {
    let mode = Mode::from_arguments();
    let world = World::play(mode.pick(60, 400), mode.pick(3, 14), 1);
    let log = &world.lanes[0][0];
    let batches: Vec<_> =
        (0..log.len()).step_by(BATCH).map(|from| World::records(log, from, (from + BATCH).min(log.len()))).collect();
    let passes = mode.pick(1, 5);
    let decoder = || {
        let options = world.spec.decode_options().clone();
        Decoder::new(Stream::Access, Format::Native, world.keys.clone(), options).expect("a decoder")
    };

    // Row for row: the same events come out of both before anybody asks how fast.
    let mut rows = decoder();
    for records in &batches {
        let decoded = rows.decode(records);
        assert!(decoded.rejects.is_empty(), "a simulated hospital writes no rejects: {:?}", decoded.rejects.first());
        let ids = decoded.events.column(4).as_string::<i32>();
        for (id, record) in ids.iter().zip(records.iter()) {
            assert_eq!(id, bare::read(record.value.unwrap_or_default()).id.as_deref());
        }
    }

    Bench::new("decode", "events", mode)
        .with("serde_json into a struct", || {
            let (mut events, mut bytes) = (0, 0);
            for _ in 0..passes {
                for record in batches.iter().flat_map(|records| records.iter()) {
                    let event = bare::read(record.value.unwrap_or_default());
                    bytes += event.user.as_deref().map_or(0, str::len) + event.patient.as_deref().map_or(0, str::len);
                    events += 1;
                }
            }
            Outcome::of(events, bytes)
        })
        .with("decode to Arrow with pseudonyms", || {
            let mut decoder = decoder();
            let (mut events, mut bytes) = (0, 0);
            for _ in 0..passes {
                for records in &batches {
                    let decoded = decoder.decode(records);
                    events += decoded.events.num_rows() as u64;
                    bytes += decoded.events.column(5).as_string::<i32>().value_data().len();
                }
            }
            Outcome::of(events, bytes)
        })
        .run();
}
