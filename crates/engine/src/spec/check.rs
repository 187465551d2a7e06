//! From the file as written to the checked pipeline.

use std::path::Path;

use base::Millis;
use events::{DecodeOptions, Networks};
use features::Digests;
use findings::Cases;

use super::digests::{model_digest, reading_digest, settings_digest};
use super::raw::{RawInput, RawSpec, RawWatch};
use super::reader::Reader;
use super::{ENGINE, Input, ModelUse, PipelineSpec, settings};
use crate::limits::REKEY_SILENT_MAX;

impl Reader<'_> {
    /// The pipeline, where its SQL compiles. What is wrong with it is among the problems.
    pub(super) fn check(&mut self, file: &Path, text: &str, raw: RawSpec, models: ModelUse) -> Option<PipelineSpec> {
        let inputs: Vec<Input> = raw.input.iter().map(RawInput::checked).collect();
        self.check_inputs(file, text, &raw, &inputs);
        for misfit in settings::misfits(&raw, &inputs) {
            self.misfit(file, text, misfit);
        }
        let networks = self.networks(file, text, &raw);
        let program = self.program(file, text, &raw)?;
        let loaded = self.models(file, text, &raw, models, &program);
        let digests = Digests {
            spec: settings_digest(text),
            reading: reading_digest(&raw),
            sql: self.sql_digest(),
            model: model_digest(&loaded),
            engine: ENGINE.to_owned(),
        };
        let model_paths = raw.scoring.pair_model.as_ref().zip(raw.scoring.user_model.as_ref());
        let spec = PipelineSpec {
            folder: self.folder.to_path_buf(),
            name: raw.pipeline.name,
            version: raw.pipeline.version,
            description: raw.pipeline.description,
            kafka: raw.kafka,
            inputs,
            reference: raw.reference.by_kind(),
            decode: DecodeOptions {
                max_clock_skew: raw.limits.max_clock_skew,
                max_event_age: raw.limits.max_event_age,
                networks,
                ..DecodeOptions::default()
            },
            idle_after: raw.limits.idle_after,
            learn: Millis::days(i64::from(raw.cases.learn_days)),
            program,
            models: loaded,
            model_paths: model_paths.map(|(pair, user)| (self.folder.join(pair), self.folder.join(user))),
            policy: raw.cases.policy(),
            rules: raw.rule,
            watches: raw.watch.iter().map(RawWatch::checked).collect(),
            digests,
        };
        self.check_cases(file, text, &spec);
        Some(spec)
    }

    /// Their lateness beside the limits, and that there are any.
    fn check_inputs(&mut self, file: &Path, text: &str, raw: &RawSpec, inputs: &[Input]) {
        for input in inputs {
            if input.lateness < raw.limits.max_clock_skew {
                let at = self.line_of(file, text, &format!("\"{}\"", input.topic));
                let what = format!(
                    "input `{}`: lateness {} is below max_clock_skew {}",
                    input.topic, input.lateness, raw.limits.max_clock_skew
                );
                self.problem(
                    at,
                    what,
                    Some("raise `lateness`: a tick must not close before its reference is known".into()),
                );
            }
            if input.rekeyed && raw.limits.idle_after <= REKEY_SILENT_MAX {
                let at = self.line_of(file, text, "idle_after");
                let (topic, idle_after) = (&input.topic, raw.limits.idle_after);
                let what = format!("input `{topic}` is rekeyed, and idle_after is {idle_after}");
                let hint = format!(
                    "let it be longer than {REKEY_SILENT_MAX}, for which the last word of a `rekey` that died still counts"
                );
                self.problem(at, what, Some(hint));
            }
        }
        if inputs.is_empty() {
            let hint = "add an [[input]] with topic, stream, format and lateness".to_owned();
            self.problem(file.display().to_string(), "the pipeline reads no topic", Some(hint));
        }
    }

    fn networks(&mut self, file: &Path, text: &str, raw: &RawSpec) -> Networks {
        let networks = raw.networks.iter().map(|(range, name)| (range.as_str(), name.as_str()));
        Networks::new(networks, events::EXTERNAL).unwrap_or_else(|error| {
            let at = self.line_of(file, text, "[networks]");
            self.problem(at, error.to_string(), None);
            Networks::default()
        })
    }

    /// Rules and settings of cases, beside the columns that they speak of.
    fn check_cases(&mut self, file: &Path, text: &str, spec: &PipelineSpec) {
        let schema = spec.program.user_schema();
        let checked = Cases::new(spec.policy.clone(), spec.rules.clone(), spec.meanings(), spec.origin(), schema);
        let watched = (0..spec.watches.len()).map(|place| ("[[watch]]", spec.watch_cases(place)));
        for (place, checked) in std::iter::once(("[cases]", checked)).chain(watched) {
            let Err(error) = checked else { continue };
            let told = match error {
                findings::Error::Definitions(problems) => problems,
                other => vec![other.to_string()],
            };
            for problem in told {
                let at = self.place_of(&problem, place, (file, text), &spec.program.spec().scoring.users);
                self.problem(at, problem, None);
            }
        }
    }
}
