//! What it takes a new process to go on where another one stood: group, fence, restore, and the records of the open tick,
//! with nothing but a real Apache Kafka broker, for lanes of ten times as many users active within a day.

use chartwarden_benches::harness::{Bench, Mode, Outcome, say};
use chartwarden_benches::place::{Place, Running};
use chartwarden_benches::world::World;
use kafka::Config;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Charts that each user opens.
const CHARTS: u32 = 9;

/// A lane of `users`, committed up to its last tick that closes.
fn standing(users: u32) -> (World, Config) {
    let world = World::crowd(users, CHARTS);
    let place = Place::real(1);
    let mut config = place.config(&world, users);
    config.input_topics.iter_mut().for_each(|topic| *topic = format!("{users}.{topic}"));
    place.create(&config, true);
    place.speak(&world, &config);
    let before = Running::new(&world, &config).until_quiet();
    let ends = before.lanes.values().map(|lane| lane.tick_end).collect::<Vec<_>>();
    assert!(ends.iter().all(Option::is_some), "ticks of every lane are closed");
    say(&format!("{users} users: {} events, {} ticks, {} rows of users", before.events, before.ticks, before.rows.0));
    (world, config)
}

fn taken_up(world: &World, config: &Config, users: u32) -> Outcome {
    let ends: Vec<_> = world.lanes[0].iter().map(|log| i64::try_from(log.len()).unwrap_or(i64::MAX)).collect();
    // It stands where the other stood once the records of the open ticks have been read again.
    let snapshot = Running::new(world, config).until(|snapshot| snapshot.lanes.values().any(|lane| lane.next == ends));
    let stands: Vec<_> = snapshot.lanes.values().map(|lane| (lane.tick_end, lane.next.clone())).collect();
    Outcome::of(u64::from(users), stands)
}

fn main() {
    let mode = Mode::from_arguments();
    let (few, many) = (mode.pick(50, 10_000), mode.pick(500, 100_000));
    let (small, large) = (standing(few), standing(many));
    Bench::new("a lane handed over", "users", mode)
        .with(format!("{few} users"), || taken_up(&small.0, &small.1, few))
        .with(format!("{many} users"), || taken_up(&large.0, &large.1, many))
        .run();
}
