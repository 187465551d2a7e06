//! What stands in a stage's input topics: a small simulated hospital, as it speaks or with salt in it, and single records.

use std::collections::BTreeMap;
use std::path::Path;

use chartwarden_tests::binary::run;
use kafka::{CommittedRecord, Speaker};

use crate::stage::{LANES, Stage, copy};

impl Stage {
    /// Into the input topics, as it comes.
    pub(crate) fn simulate(&self) {
        self.simulate_into("pipeline");
    }

    /// Lets the hospital speak elsewhere, and copies what it says with garbage in it, with records that stand there twice, and
    /// with some that come days later once more.
    pub(crate) fn simulate_salted(&self) {
        const RAW: &str = "raw.";
        copy(Path::new(&self.path("pipeline")), Path::new(&self.path("raw")));
        let file = self.path("raw/pipeline.toml");
        let mut text = std::fs::read_to_string(&file).unwrap();
        for topic in &self.config.input_topics {
            text = text.replacen(&format!("\"{topic}\""), &format!("\"{RAW}{topic}\""), 1);
        }
        std::fs::write(file, text).unwrap();
        self.simulate_into("raw");
        let speaker = Speaker::connect(&self.config).unwrap();
        for topic in &self.config.input_topics {
            let theirs = [("message.timestamp.type", "CreateTime"), ("retention.ms", "-1")];
            kafka::create_topic(&self.config, topic, LANES, &theirs).unwrap();
            let mut lanes: BTreeMap<u32, Vec<CommittedRecord>> = BTreeMap::new();
            for record in self.committed(&format!("{RAW}{topic}")) {
                lanes.entry(record.partition).or_default().push(record);
            }
            for (lane, records) in &lanes {
                for (record, value) in salted(records) {
                    let key = record.key.as_deref().unwrap_or_default();
                    speaker.send(topic, Some(*lane), key, value, &[], Some(record.time)).unwrap();
                }
            }
        }
        speaker.flush().unwrap();
    }

    fn simulate_into(&self, pipeline: &str) {
        let (pipeline, truth) = (self.path(pipeline), self.path("truth"));
        let lanes = LANES.to_string();
        let bootstrap = &self.bootstrap();
        let hospital =
            ["--staff", "60", "--days", "4", "--seed", "11", "--first-incident-day", "1", "--incidents", "250"];
        let place = ["--bootstrap", bootstrap, "--pipeline", &pipeline, "--lanes", &lanes, "--out", &truth];
        run(&[&["simulate"], hospital.as_slice(), &place].concat()).with(0);
    }

    /// Sends a record to a lane of a topic.
    pub(crate) fn speak(&self, topic: &str, lane: u32, records: &[(&[u8], &[u8], i64)]) {
        let speaker = Speaker::connect(&self.config).unwrap();
        for (key, value, time) in records {
            let time = Some(base::Timestamp::from_millis(*time));
            speaker.send(topic, Some(lane), key, Some(value), &[], time).unwrap();
        }
        speaker.flush().unwrap();
    }
}

/// Records of one lane with salt in it: where each stands, and its value.
fn salted(records: &[CommittedRecord]) -> impl Iterator<Item = (&CommittedRecord, Option<&[u8]>)> {
    /// So far back, a copy is late.
    const LATE: usize = 400;
    // What stands at the very end waits for a tick that nobody closes.
    let end = records.len() * 9 / 10;
    records.iter().enumerate().flat_map(move |(number, record)| {
        let value = record.value.as_deref();
        let salt = match number % 40 {
            _ if number > end => None,
            10 => Some(Some(b"{no event".as_slice())),
            20 => Some(value),
            30 if number > LATE => Some(records[number - LATE].value.as_deref()),
            _ => None,
        };
        std::iter::once(value).chain(salt).map(move |value| (record, value))
    })
}
