//! Windows alone: decode, walk, seal, panes and window results of a lane, and what they cost as they grow.

use std::sync::Arc;

use base::{Millis, Timestamp};
use chartwarden_benches::bare;
use chartwarden_benches::harness::{Bench, Mode, Outcome, say};
use chartwarden_benches::world::World;
use engine::JournalRecord;
use events::{Decoder, Offset, TopicId};
use features::{Lane, LaneConfig, Program, ProgramSpec};
use reference::{Kind, Pins, Reference};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much a lane does.
#[derive(Clone, Copy, PartialEq)]
enum Depth {
    Decode,
    Seal,
    Results,
}

fn config(world: &World) -> LaneConfig {
    let topics = world.spec.inputs().iter().map(|input| (input.stream, input.lateness)).collect();
    LaneConfig { topics, digests: world.spec.digests().clone(), epoch: 0 }
}

fn reference(world: &World) -> (Reference, Pins) {
    let (mut reference, mut genesis) = (Reference::new(world.spec.program().zone().clone()), Pins::default());
    for row in &world.reference {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == row.kind).expect("a known kind");
        let value = row.value.as_deref().unwrap_or_default();
        reference.apply(kind, row.partition, row.offset, row.append_time, value, &world.keys).expect("a good row");
    }
    for (name, count) in world.before {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).expect("a known kind");
        genesis.set(kind, 0, Offset(count));
    }
    (reference, genesis)
}

/// Runs every lane of a world through the windows of `program`.
fn run(world: &World, program: &Arc<Program>, known: &(Reference, Pins), depth: Depth) -> Outcome {
    let (mut events, mut rows, mut ticks, mut last) = (0, 0, 0, Vec::new());
    for logs in &world.lanes {
        let (reference, genesis) = known;
        let mut lane = Lane::new(Arc::clone(program), config(world), &[Offset(0); 2], genesis.clone()).expect("a lane");
        let decoders = world.spec.inputs().iter().map(|input| {
            let options = world.spec.decode_options().clone();
            Decoder::new(input.stream, input.format, Arc::clone(&world.keys), options).expect("a decoder")
        });
        let mut decoders: Vec<_> = decoders.collect();
        let mut next = [0; 2];
        let first = logs.iter().filter_map(|log| log.first()).map(|raw| raw.time).min();
        let mut hour = first.unwrap_or(Timestamp::MIN);
        while (0..2).any(|topic| next[topic] < logs[topic].len()) {
            hour = hour + Millis::hours(1);
            for topic in 0..2 {
                let (log, from) = (&logs[topic], next[topic]);
                let to = from + log[from..].iter().take_while(|raw| raw.time < hour).count();
                let decoded = decoders[topic].decode(&World::records(log, from, to));
                next[topic] = to;
                events += decoded.events.num_rows() as u64;
                if depth != Depth::Decode {
                    lane.offer(TopicId(topic as u8), decoded.events, &[], decoded.next);
                }
            }
            while let Some(end) = lane.next_due(None).filter(|end| *end <= lane.watermark()) {
                let pins = reference.pin_at(end, genesis);
                lane.begin_tick(end, reference, &pins).expect("a tick");
                if depth == Depth::Results {
                    let pairs = lane.pair_rows(reference, &pins).expect("pair rows");
                    let users = lane.user_rows(reference, &pins).expect("user rows");
                    rows += pairs.map_or(0, |rows| rows.num_rows()) + users.map_or(0, |rows| rows.num_rows());
                }
                let output = lane.end_tick(&pins).expect("the end of a tick");
                ticks += 1;
                last = serde_json::to_vec::<JournalRecord>(&output.record).expect("a journal record");
            }
        }
    }
    Outcome::of(events, (rows, ticks, last))
}

/// The shipped windows, ready to be changed.
fn shipped(world: &World) -> ProgramSpec {
    let mut spec = world.spec.program().spec().clone();
    // Those of watches and the last one are built in and added again.
    spec.windows.truncate(spec.windows.len() - spec.watches.len() - 1);
    spec
}

/// Hourly windows made ten hours long, at the same hop.
fn long(world: &World) -> ProgramSpec {
    let mut spec = shipped(world);
    for size in spec.windows.iter_mut().flat_map(|window| &mut window.sizes) {
        if size.size == Millis::hours(1) {
            size.size = Millis::hours(10);
        }
    }
    for sql in [&mut spec.scoring.users, &mut spec.scoring.pairs] {
        sql.text = sql.text.replace("_1h_", "_10h_").replace("pair_score_10h_", "pair_score_1h_");
    }
    spec
}

/// Windows with twice as many columns.
fn wide(world: &World) -> ProgramSpec {
    let mut spec = shipped(world);
    for window in &mut spec.windows {
        let schema = world.spec.program().relation_columns(&window.relation).expect("a relation of the pipeline");
        let column = if schema.column_with_name("local_hour").is_some() { "local_hour" } else { "score" };
        let aggregates = window.sql.text.matches(" AS ").count();
        let more: String = (0..aggregates)
            .map(|hour| format!(", count(*) FILTER (WHERE {column} <> {hour}) AS more_{hour}"))
            .collect();
        let from = format!("FROM {}", window.relation);
        assert!(window.sql.text.contains(&from), "`{}` reads its relation", window.sql.file);
        window.sql.text = window.sql.text.replace(&from, &format!("{more} {from}"));
    }
    spec
}

fn compiled(spec: ProgramSpec) -> Arc<Program> {
    Arc::new(Program::compile(spec).unwrap_or_else(|problems| panic!("{problems:?}")))
}

fn main() {
    let mode = Mode::from_arguments();
    let (staff, days) = (mode.pick(60, 200), mode.pick(2, 7));
    let world = World::play(staff, days, 1);
    let known = reference(&world);
    let program = world.spec.program();

    Bench::new("windows alone", "events", mode)
        .with("serde_json into a struct", || {
            let mut users = 0;
            for raw in world.lanes.iter().flatten().flatten() {
                users += bare::read(&raw.json).user.as_deref().map_or(0, str::len);
            }
            Outcome::of(world.events, users)
        })
        .with("decode", || run(&world, program, &known, Depth::Decode))
        .with("decode, seal", || run(&world, program, &known, Depth::Seal))
        .with("decode, seal, window results", || run(&world, program, &known, Depth::Results))
        .run();

    let crowd = World::play(mode.pick(120, 2_000), mode.pick(2, 2), 1);
    let spread = World::play(staff, days, 4);
    let (crowd_known, spread_known) = (reference(&crowd), reference(&spread));
    let (long, wide) = (compiled(long(&world)), compiled(wide(&world)));
    say(&format!("\n{} events of {staff} staff; of the crowd {}", world.events, crowd.events));
    Bench::new("windows as they grow", "events", mode)
        .with("as shipped", || run(&world, program, &known, Depth::Results))
        .with("users x10", || run(&crowd, program, &crowd_known, Depth::Results))
        .with("hourly windows x10", || run(&world, &long, &known, Depth::Results))
        .with("columns x2", || run(&world, &wide, &known, Depth::Results))
        .with("lanes x4", || run(&spread, program, &spread_known, Depth::Results))
        .run();
}
