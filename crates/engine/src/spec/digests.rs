//! What a change of a pipeline concerns: its settings, what is read, its models.

use base::Digest;
use sha2::{Digest as _, Sha256};

use super::raw::RawSpec;
use super::{Input, Models};

/// What the settings say, however they are laid out. Where the pipeline meets Kafka is left out: moving it to another
/// group, giving its clients another time limit or letting `rekey` write its inputs changes nothing that is computed.
pub(super) fn settings_digest(text: &str) -> Digest {
    let mut settings: toml::Table = text.parse().unwrap_or_default();
    settings.remove("kafka");
    let inputs = settings.get_mut("input").and_then(toml::Value::as_array_mut).into_iter().flatten();
    inputs.filter_map(toml::Value::as_table_mut).for_each(|input| drop(input.remove("rekeyed")));
    Digest(Sha256::digest(settings.to_string()).into())
}

/// What has to stay as it is for state to be computed anew from what was read: which parts were kept, which settings they
/// were decoded under, and when ticks close. How decoders understand a message belongs to the engine and is not in it: what
/// was read stays as it was decoded then, and of columns that came later it says nothing.
pub(super) fn reading_digest(raw: &RawSpec) -> Digest {
    let input = |input: &Input| (input.topic.clone(), input.stream.name(), input.format.name(), input.lateness.0);
    let inputs: Vec<_> = raw.input.iter().map(|raw| input(&raw.checked())).collect();
    let reading = serde_json::json!({
        "inputs": inputs,
        "max_clock_skew": raw.limits.max_clock_skew.0,
        "max_event_age": raw.limits.max_event_age.0,
        "networks": raw.networks,
        "tick": raw.windows.tick.0,
        "time_zone": raw.pipeline.time_zone,
        "scoring_every": raw.scoring.every.0,
    });
    Digest(Sha256::digest(reading.to_string()).into())
}

pub(super) fn model_digest(models: &Models) -> Digest {
    let mut digest = Sha256::new();
    for model in [&models.pair, &models.user].into_iter().flatten() {
        digest.update(model.digest().0);
    }
    Digest(digest.finalize().into())
}
