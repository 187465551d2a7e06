//! Runs alternatives in alternation and prints what they cost: CPU time, so that neighbours on the machine count
//! little. What is compared was run in the same minutes, and every run must come to the same digest.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

/// How large a bench is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Under `cargo test`: small and once.
    Tiny,
    /// Under `cargo bench`.
    Real,
}

impl Mode {
    /// `cargo bench` says so; whatever else starts the program wants the tiny one.
    pub fn from_arguments() -> Self {
        if std::env::args().any(|argument| argument == "--bench") { Self::Real } else { Self::Tiny }
    }

    /// The value of this mode.
    pub fn pick<T>(self, tiny: T, real: T) -> T {
        match self {
            Self::Tiny => tiny,
            Self::Real => real,
        }
    }
}

/// What one run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many events, rows or entries.
    pub units: u64,
    /// Of the result: the same in every run.
    pub digest: u64,
}

impl Outcome {
    /// An outcome of hashable parts.
    pub fn of(units: u64, parts: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        parts.hash(&mut hasher);
        Self { units, digest: hasher.finish() }
    }
}

type Run<'a> = Box<dyn FnMut() -> Outcome + 'a>;

/// Alternatives that are measured side by side; the first is what the others are compared with.
pub struct Bench<'a> {
    title: &'static str,
    unit: &'static str,
    mode: Mode,
    alternatives: Vec<(String, Run<'a>)>,
}

/// What an alternative cost, in the median of its rounds.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// Units per CPU-second.
    pub rate: f64,
}

impl<'a> Bench<'a> {
    /// A bench whose runs count in `unit`.
    pub fn new(title: &'static str, unit: &'static str, mode: Mode) -> Self {
        Self { title, unit, mode, alternatives: Vec::new() }
    }

    /// Adds an alternative.
    pub fn with(mut self, name: impl Into<String>, run: impl FnMut() -> Outcome + 'a) -> Self {
        self.alternatives.push((name.into(), Box::new(run)));
        self
    }

    /// Runs everything in alternation and prints the table.
    ///
    /// # Panics
    /// If an alternative comes to different results in two rounds.
    pub fn run(mut self) -> Vec<Measured> {
        let rounds = self.mode.pick(1, 3);
        let mut costs = vec![Vec::new(); self.alternatives.len()];
        let mut outcomes: Vec<Option<Outcome>> = vec![None; self.alternatives.len()];
        for _ in 0..rounds {
            for (place, (name, run)) in self.alternatives.iter_mut().enumerate() {
                let before = spent();
                let outcome = run();
                let cost = spent().since(before);
                let known = *outcomes[place].get_or_insert(outcome);
                assert_eq!(known, outcome, "`{name}` came to another result in another round");
                costs[place].push(cost);
            }
        }
        say(&format!("\n{} ({}), {rounds} rounds in alternation, {}", self.title, mode_name(self.mode), machine()));
        say(&format!(
            "  {:<34} {:>10} {:>14} {:>12} {:>8} {:>8}  digest",
            "", self.unit, "per CPU-second", "CPU ns each", "wall s", "ratio"
        ));
        let mut measured = Vec::new();
        for (place, (name, _)) in self.alternatives.iter().enumerate() {
            let Some(outcome) = outcomes[place] else { continue };
            let units = outcome.units as f64;
            let rate = median(costs[place].iter().map(|cost| units / cost.cpu));
            let wall = median(costs[place].iter().map(|cost| cost.wall));
            // Round by round, so that whatever disturbed both is left out; units may differ between alternatives.
            let first = outcomes[0].map_or(1.0, |first| first.units as f64);
            let ratios = costs[place].iter().zip(&costs[0]).map(|(mine, base)| (units / mine.cpu) / (first / base.cpu));
            say(&format!(
                "  {name:<34} {:>10} {rate:>14.0} {:>12.0} {wall:>8.2} {:>7.2}x  {:016x}",
                outcome.units,
                1e9 / rate,
                median(ratios),
                outcome.digest
            ));
            measured.push(Measured { name: name.clone(), rate });
        }
        measured
    }
}

fn mode_name(mode: Mode) -> &'static str {
    mode.pick("tiny: the numbers mean nothing", "real")
}

/// The middle of some numbers.
pub fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Time spent, in seconds.
#[derive(Clone, Copy, Debug)]
struct Cost {
    cpu: f64,
    wall: f64,
}

#[derive(Clone, Copy)]
struct Spent {
    cpu: f64,
    at: Instant,
}

impl Spent {
    fn since(self, before: Self) -> Cost {
        // The kernel counts in steps of 10 ms: nothing costs less than one.
        Cost { cpu: (self.cpu - before.cpu).max(0.01), wall: (self.at - before.at).as_secs_f64() }
    }
}

/// CPU time of this process, all its threads, dead ones included, and of other programs that it has waited for: fields
/// 14 to 17 of `/proc/self/stat` (proc(5)).
#[expect(clippy::disallowed_methods, reason = "a bench reports how long things take, and nothing else depends on it")]
fn spent() -> Spent {
    /// Ticks of `/proc` in a second, on every Linux.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").expect("benches need Linux: /proc/self/stat tells CPU time");
    // The name in parentheses may hold spaces; fields count from 3 behind it.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>();
    Spent { cpu: ticks / TICKS, at: Instant::now() }
}

/// The machine a number belongs to.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("?").to_owned();
    format!("{} x {cores}, load {load}", model.unwrap_or("unknown processor").trim())
}

/// Prints a line.
#[expect(clippy::print_stdout, reason = "a bench is there to print")]
pub fn say(line: &str) {
    println!("{line}");
}
