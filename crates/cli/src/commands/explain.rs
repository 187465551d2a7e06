//! `chartwarden explain`: one finding, as a colleague would tell it.

use std::path::PathBuf;

use anyhow::Result;
use findings::{Activity, Other};

use crate::report::{Answer, Failure, disk, line};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Id of a finding, of a case, or of whom it is about; the beginning of one will do, as in the table of cases.
    finding: String,
    /// Folder with `findings.ndjson`.
    #[arg(long, default_value = "chartwarden-demo", value_name = "DIR")]
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
    let path = arguments.data.join("findings.ndjson");
    let text = std::fs::read(&path).map_err(|error| disk(&path, &error))?;
    let mut found = false;
    for bytes in text.split(|byte| *byte == b'\n').filter(|bytes| !bytes.is_empty()) {
        let view = findings::read(bytes)?;
        if ![&view.id, &view.case_id, &view.subject].iter().any(|id| id.starts_with(&arguments.finding)) {
            continue;
        }
        found = true;
        if arguments.json {
            line(String::from_utf8_lossy(bytes));
            continue;
        }
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
        line(format!(
            "  rules  {}",
            if rules.is_empty() { "none: the model alone".to_owned() } else { rules.join(", ") }
        ));
        if !view.techniques.is_empty() {
            line(format!("  ATT&CK {}", view.techniques.join(", ")));
        }
        line("");
    }
    if found {
        return Ok(Answer::Yes);
    }
    let hint = "the ids stand in findings.ndjson as `metadata.uid` and `finding_info.uid`";
    Err(Failure::invalid(format!("no finding `{}`", arguments.finding)).at(path.display()).hint(hint).into())
}
