//! What a person watching a run sees: a live picture on a terminal, one line per stage elsewhere.
//!
//! `--plain`, and any output that is not a terminal, gets no control codes. Read next: `commands/demo.rs`.

use std::io::IsTerminal as _;
use std::time::Duration;

use base::Timestamp;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::note;

/// Where progress goes.
pub(crate) struct View {
    bar: Option<ProgressBar>,
}

/// What is shown while a hospital is being watched.
pub(crate) struct Scene {
    pub(crate) day: u64,
    pub(crate) phase: String,
    pub(crate) watermark: Option<Timestamp>,
    pub(crate) events: u64,
    pub(crate) per_second: f64,
    pub(crate) open_cases: usize,
    pub(crate) last_finding: Option<(String, String)>,
    pub(crate) ledger: u64,
}

impl View {
    pub(crate) fn new(plain: bool, days: u64) -> Self {
        if plain || !std::io::stderr().is_terminal() {
            return Self { bar: None };
        }
        let bar = ProgressBar::with_draw_target(Some(days), ProgressDrawTarget::stderr_with_hz(10));
        let style = ProgressStyle::with_template("  day {pos:>2} of {len}  {bar:32.cyan}  {elapsed}\n{msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar: Some(bar) }
    }

    /// A stage has begun or ended.
    pub(crate) fn stage(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        }
    }

    /// Draws the present state, on a terminal.
    pub(crate) fn draw(&self, scene: &Scene) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(scene.day);
        let time = scene.watermark.map_or_else(|| "not yet".to_owned(), shown_time);
        let last = scene.last_finding.as_ref().map_or_else(
            || "none yet".to_owned(),
            |(title, sentence)| if sentence.is_empty() { title.clone() } else { format!("{title}: {sentence}") },
        );
        bar.set_message(format!(
            "  {}\n  event time    {time}\n  events        {} ({:.0} a second)\n  open cases    {}\n  \
             last finding  {}\n  ledger        {} entries",
            scene.phase,
            grouped(scene.events),
            scene.per_second,
            scene.open_cases,
            cut(&last, 96),
            scene.ledger
        ));
    }

    /// Takes the picture away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// How many of so many ticks are done and how long the rest will take, on a terminal.
pub(crate) fn ticks_bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
    let template = "  {bar:32.cyan}  {percent:>3} %  {human_pos} of {human_len} ticks, {eta} to go";
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// `2026-01-19 08:30` in UTC.
pub(crate) fn shown_time(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_millisecond(time.millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// At most `width` characters.
pub(crate) fn cut(text: &str, width: usize) -> String {
    match text.char_indices().nth(width) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
