//! How numbers, times and lists are put into words. English, and by the house's clocks: these words are hashed.

use base::{Millis, Timestamp};
use jiff::tz::TimeZone;

/// `1204` as `1,204`.
pub(crate) fn whole(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A float as a person would say it: fewer decimals the larger it is.
pub(crate) fn decimal(number: f64) -> String {
    if !number.is_finite() {
        return "unknown".to_owned();
    }
    if number != 0.0 && number.abs() < 0.005 {
        return if number > 0.0 { "less than 0.01" } else { "just below 0" }.to_owned();
    }
    let decimals = match number.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    // Adding zero takes the sign off a negative zero.
    let text = format!("{:.decimals$}", number + 0.0);
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (integer, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let integer = integer.parse().map_or_else(|_| integer.to_owned(), whole);
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{integer}"),
        fraction => format!("{sign}{integer}.{fraction}"),
    }
}

/// A number of bytes in decimal units.
pub(crate) fn bytes(number: f64) -> String {
    let units = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match units.into_iter().find(|(_, size)| number.abs() >= *size) {
        Some((unit, size)) => format!("{} {unit}", decimal(number / size)),
        None => format!("{} bytes", decimal(number)),
    }
}

/// A length of time in its two largest units.
pub(crate) fn duration(length: Millis) -> String {
    let units = [("days", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)];
    let mut rest = length.0.unsigned_abs();
    let mut parts = Vec::new();
    for (unit, size) in units {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            let unit = if count == 1 && unit == "days" { "day" } else { unit };
            parts.push(format!("{count} {unit}"));
        } else if !parts.is_empty() {
            break;
        }
        if parts.len() == 2 {
            break;
        }
    }
    match parts.len() {
        0 => format!("{} ms", length.0),
        _ => format!("{}{}", if length.0 < 0 { "-" } else { "" }, parts.join(" ")),
    }
}

/// `2026-01-05`, in the zone.
pub(crate) fn date(at: Timestamp, zone: &TimeZone) -> String {
    stamp(at, zone, "%Y-%m-%d")
}

/// `2026-01-05 03:10 +01:00`, in the zone.
pub fn moment(at: Timestamp, zone: &TimeZone) -> String {
    format!("{} {}", stamp(at, zone, "%Y-%m-%d %H:%M"), offset(at, zone))
}

/// A span of time, as short as it can be told, in the zone.
pub(crate) fn span(first: Timestamp, last: Timestamp, zone: &TimeZone) -> String {
    let (day, until) = (date(first, zone), offset(last, zone));
    let mut clock = stamp(first, zone, "%H:%M");
    // The clocks were changed in between.
    let from = offset(first, zone);
    if from != until {
        clock = format!("{clock} {from}");
    }
    if first.floor(Millis::minutes(1)) == last.floor(Millis::minutes(1)) {
        format!("on {day} at {clock} {until}")
    } else if day == date(last, zone) {
        format!("on {day} between {clock} and {} {until}", stamp(last, zone, "%H:%M"))
    } else {
        format!("between {day} {clock} and {}", moment(last, zone))
    }
}

/// How far the clocks are from UTC: `+01:00`, or `UTC`.
fn offset(at: Timestamp, zone: &TimeZone) -> String {
    let offset = stamp(at, zone, "%:z");
    if offset.starts_with(['+', '-']) && offset != "+00:00" { offset } else { "UTC".to_owned() }
}

fn stamp(at: Timestamp, zone: &TimeZone, format: &str) -> String {
    match jiff::Timestamp::from_millisecond(at.millis()) {
        Ok(time) => time.to_zoned(zone.clone()).strftime(format).to_string(),
        Err(_) => format!("{} ms", at.millis()),
    }
}

/// `1 chart`, `14 charts`, `no charts`.
pub(crate) fn count(number: i64, one: &str, many: &str) -> String {
    match number {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        _ => format!("{} {many}", whole(number)),
    }
}

/// The singular of a regular English plural.
pub(crate) fn singular(many: &str) -> String {
    let sibilant = ["ches", "shes", "sses", "xes"].iter().any(|end| many.ends_with(end));
    match () {
        () if many.ends_with("ies") && many.len() > 4 => format!("{}y", &many[..many.len() - 3]),
        () if sibilant => many[..many.len() - 2].to_owned(),
        () if many.ends_with('s') && !many.ends_with("ss") => many[..many.len() - 1].to_owned(),
        () => many.to_owned(),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Text from outside as it may stand in a sentence: one line, no control or direction-changing characters, cut to
/// `chars_max` characters.
pub(crate) fn tame(text: &str, chars_max: usize) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut chars = text.chars().map(|c| if hidden(c) { ' ' } else { c });
    let mut tamed: String = chars.by_ref().take(chars_max).collect();
    if chars.next().is_some() {
        tamed.pop();
        tamed.push('…');
    }
    tamed.trim().to_owned()
}

/// A capital at the start and a full stop at the end. A first word that is not plain letters (a pseudonym, a number)
/// stays as it is.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    let first = text.split_whitespace().next().unwrap_or_default();
    let plain = first.chars().all(|c| c.is_alphabetic() || matches!(c, ',' | '\'' | '-'));
    let mut chars = text.chars();
    let mut told = match chars.next() {
        Some(letter) if plain => letter.to_uppercase().chain(chars).collect(),
        _ => text.to_owned(),
    };
    if !told.ends_with(['.', '!', '?']) {
        told.push('.');
    }
    told
}

#[cfg(test)]
mod tests;
