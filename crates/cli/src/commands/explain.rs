//! `chartwarden explain`: one finding, as a colleague would tell it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use base::Kind;
use findings::{Activity, FindingView, Other};
use ledger::Opening;

use crate::report::{Answer, Failure, disk, json_line, line, note};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Id of a finding, of a case, or of whom it is about; the beginning of one will do, as in the table of cases.
    finding: String,
    /// Where findings stand: a file with one a line, the folder of a demo, or that of `run --data`.
    #[arg(long, default_value = "chartwarden-demo", value_name = "PATH")]
    data: PathBuf,
    /// Print the OCSF object itself.
    #[arg(long)]
    json: bool,
}

/// Fewest characters of an id: all findings begin alike.
const ID_CHARS_MIN: usize = 6;

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> Result<Answer> {
    if arguments.finding.len() < ID_CHARS_MIN {
        let problem = format!("`{}` is the beginning of too many ids", arguments.finding);
        return Err(Failure::invalid(problem).hint(format!("give {ID_CHARS_MIN} characters or more")).into());
    }
    let (mut found, mut unread) = (false, Vec::new());
    let Told { findings, damaged } = told(&arguments.data)?;
    for bytes in findings {
        let view = match findings::read(&bytes) {
            Ok(view) => view,
            Err(error) => {
                unread.push(error);
                continue;
            }
        };
        if !is_meant(&view, &arguments.finding) {
            continue;
        }
        found = true;
        if arguments.json {
            json_line(String::from_utf8_lossy(&bytes));
        } else {
            explain(&view);
        }
    }
    if let Some(first) = unread.first() {
        note(format!("{} findings cannot be read and are passed over; of the first: {first}", unread.len()));
    }
    if let Some(first) = damaged.first() {
        note(format!("{} openings are damaged and are passed over; the first: {first}", damaged.len()));
    }
    if found {
        return Ok(Answer::Yes);
    }
    if !damaged.is_empty() {
        let problem = format!("no finding `{}` among those that can be read", arguments.finding);
        return Err(Failure::new(Kind::Corrupt, problem).at(arguments.data.display()).into());
    }
    let hint = "ids stand in findings as `metadata.uid` and `finding_info.uid`";
    let failure = Failure::invalid(format!("no finding `{}`", arguments.finding));
    Err(failure.at(arguments.data.display()).hint(hint).into())
}

/// Whether `wanted` begins an id of the finding, or the pseudonym of whom it is about, with or without the key's id.
fn is_meant(view: &FindingView, wanted: &str) -> bool {
    let name = view.subject.split_once(':').map_or("", |(_, name)| name);
    [&view.id, &view.case_id, &view.subject, name].iter().any(|id| id.starts_with(wanted))
}

/// What stands where findings are kept.
struct Told {
    /// Every finding, oldest first.
    findings: Vec<Vec<u8>>,
    /// What is no opening though it is named as one, and why.
    damaged: Vec<String>,
}

/// Everything that stands there. Of `run --data` what is sealed, which is seconds after it was told; the archive gets it
/// in larger pieces.
fn told(data: &Path) -> Result<Told> {
    let (lines, receipts) = (data.join("findings.ndjson"), data.join("receipts"));
    if data.is_dir() && !lines.exists() && receipts.is_dir() {
        return sealed(&receipts);
    }
    let file = if data.is_dir() { &lines } else { data };
    let text = std::fs::read(file).map_err(|error| disk(file, &error))?;
    let lines = text.split(|byte| *byte == b'\n').filter(|bytes| !bytes.is_empty());
    Ok(Told { findings: lines.map(<[u8]>::to_vec).collect(), damaged: Vec::new() })
}

/// Findings as their receipts hold them. One opening that is damaged hides none of the others.
fn sealed(receipts: &Path) -> Result<Told> {
    let (mut told, mut damaged) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(receipts).map_err(|error| disk(receipts, &error))? {
        let path = entry.map_err(|error| disk(receipts, &error))?.path();
        if !path.to_string_lossy().ends_with(".opening.json") {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|error| disk(&path, &error))?;
        let opening: Opening = match serde_json::from_slice(&bytes) {
            Ok(opening) => opening,
            Err(_) if is_erased(&bytes) => continue,
            Err(error) => {
                damaged.push(format!("{} is no opening: {error}", path.display()));
                continue;
            }
        };
        // What cannot be read comes first, and is told as such.
        let place = findings::read(&opening.content).ok().map(|view| (view.tick_end, view.id));
        told.push((place, opening.content));
    }
    told.sort();
    damaged.sort();
    Ok(Told { findings: told.into_iter().map(|(_, content)| content).collect(), damaged })
}

/// Whether the receipt of an erasure stands in place of an opening: that is as it is meant to be.
fn is_erased(bytes: &[u8]) -> bool {
    let fields = serde_json::from_slice::<BTreeMap<String, String>>(bytes);
    fields.is_ok_and(|fields| fields.len() == 1 && fields.contains_key("erased"))
}

/// Prints one finding.
fn explain(view: &FindingView) {
    match &view.entity {
        None => {
            line(format!("{} ({}, score {:.2})", view.title, view.severity.caption(), view.score));
            line(format!("  who    {}", view.subject));
        }
        Some(entity) => {
            line(format!("{} ({})", view.title, view.severity.caption()));
            line(format!("  what   {entity} {}", view.subject));
        }
    }
    let shown_time = |time| findings::moment(time, &view.origin.time_zone);
    let done = match view.activity {
        Activity::Opened => "opened".to_owned(),
        Activity::Updated => format!("updated, opened {}", shown_time(view.opened)),
        Activity::Closed => format!("closed, opened {}", shown_time(view.opened)),
    };
    line(format!("  when   {}: case {done}", shown_time(view.tick_end)));
    line(format!("  case   {}, finding {}", view.case_id, view.id));
    view.sentences.iter().for_each(|sentence| line(format!("  -      {sentence}")));
    // The most telling charts (or users) have their sentences; these are the others.
    let untold = |key: &str| !view.sentences.iter().any(|sentence| sentence.contains(key));
    for pair in view.evidence.iter().filter(|pair| untold(pair.other.key())) {
        let actions: Vec<_> = pair.actions.iter().map(|(action, count)| format!("{count} {action}")).collect();
        let (first, last) = (shown_time(pair.first_time), shown_time(pair.last_time));
        let (what, reason) = match &pair.other {
            Other::Patient(_) => ("chart", format!("; reason: {}", pair.reason)),
            Other::User(_) => ("user ", String::new()),
        };
        line(format!(
            "  {what}  {}: {}, {}{reason}{}",
            pair.other.key(),
            if first == last { first } else { format!("{first} to {last}") },
            actions.join(", "),
            if pair.flags.is_empty() { String::new() } else { format!("; {}", pair.flags.join(", ")) }
        ));
    }
    let rules: Vec<_> = view.rules.iter().map(|rule| rule.id.clone()).collect();
    line(format!("  rules  {}", if rules.is_empty() { "none: the model alone".to_owned() } else { rules.join(", ") }));
    if !view.techniques.is_empty() {
        line(format!("  ATT&CK {}", view.techniques.join(", ")));
    }
    line("");
}

#[cfg(test)]
mod tests;
