//! A plain producer for whoever plays a source system: the simulator, the demo, tests. Never used by a lane.

use base::Timestamp;
use events::Header;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::{Header as Named, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::config::Config;
use crate::deadline::Deadline;
use crate::delivery::{Deliveries, UNTAGGED, serve};
use crate::error::{Result, code_of, told, unavailable};
use crate::limits::SEND_MAX;

/// The partition of a key: murmur2 as the Java clients compute it, sign bit cleared, modulo the number of partitions.
/// Topics with equal partition counts thus put a user's records into the same lane.
pub fn partition_of(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// MurmurHash2 (Austin Appleby, 2008) with the seed and the constants of Kafka's Java client.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, tail) = data.as_chunks::<4>();
    let mut hash = words.iter().fold(0x9747_b28c ^ length, |hash, word| {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash.wrapping_mul(M) ^ k.wrapping_mul(M)
    });
    if !tail.is_empty() {
        let rest = tail.iter().rev().fold(0, |rest, byte| (rest << 8) | u32::from(*byte));
        hash = (hash ^ rest).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// An idempotent producer; with a transactional id also the kind of source system that writes in transactions.
pub struct Speaker {
    producer: BaseProducer<Deliveries>,
}

impl Speaker {
    /// Builds a producer without transactions; nothing is sent yet.
    pub fn connect(config: &Config) -> Result<Self> {
        let producer = BaseProducer::from_config_and_context(&config.producer(None)?, Deliveries::default())
            .map_err(|error| told("kafka configuration", &error))?;
        Ok(Self { producer })
    }

    /// Builds a producer whose records stand in transactions: [`Self::begin`], then [`Self::end`].
    pub fn transactional(config: &Config, id: &str) -> Result<Self> {
        let doing = || format!("transactional id `{id}`");
        let producer = BaseProducer::from_config_and_context(&config.producer(Some(id))?, Deliveries::default())
            .map_err(|error| told("kafka configuration", &error))?;
        producer.init_transactions(SEND_MAX).map_err(|error| told(&doing(), &error))?;
        Ok(Self { producer })
    }

    /// Begins a transaction: readers of committed data see what follows once it has been committed.
    pub fn begin(&self) -> Result<()> {
        self.producer.begin_transaction().map_err(|error| told("beginning a transaction", &error))
    }

    /// Ends the transaction: its records become visible together, or never do.
    pub fn end(&self, commit: bool) -> Result<()> {
        self.flush()?;
        let ended =
            if commit { self.producer.commit_transaction(SEND_MAX) } else { self.producer.abort_transaction(SEND_MAX) };
        ended.map_err(|error| told("ending a transaction", &error))
    }

    /// Sends a record; it is delivered for certain after [`Self::flush`]. Without `partition` the topic's partitioner
    /// chooses as [`partition_of`] does. Without `time` the client stamps it. Waits while the queue is full.
    pub fn send(
        &self,
        topic: &str,
        partition: Option<u32>,
        key: &[u8],
        value: Option<&[u8]>,
        headers: &[Header],
        time: Option<Timestamp>,
    ) -> Result<()> {
        let mut next = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, UNTAGGED).key(key);
        next.partition = partition.map(|partition| i32::try_from(partition).unwrap_or(i32::MAX));
        next.payload = value;
        next.timestamp = time.map(Timestamp::millis);
        if !headers.is_empty() {
            let all = headers
                .iter()
                .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Named { key, value: value.as_deref() }));
            next.headers = Some(all);
        }
        let deadline = Deadline::after(SEND_MAX);
        while let Err((error, unsent)) = self.producer.send(next) {
            if code_of(&error) != Some(Code::QueueFull) || deadline.passed() {
                return Err(told(&format!("writing to topic `{topic}`"), &error));
            }
            serve(&self.producer);
            next = unsent;
        }
        Ok(())
    }

    /// Waits until everything sent so far is delivered.
    pub fn flush(&self) -> Result<()> {
        let deadline = Deadline::after(SEND_MAX);
        while self.producer.in_flight_count() > 0 {
            serve(&self.producer);
            if deadline.passed() {
                return Err(unavailable(format!(
                    "{} records were not delivered within {} s; check that the broker is up",
                    self.producer.in_flight_count(),
                    SEND_MAX.as_secs()
                )));
            }
        }
        let failed = self.producer.context().take_failure();
        failed.map_or(Ok(()), |(error, topic)| Err(told(&format!("writing to topic `{topic}`"), &error)))
    }
}

#[cfg(test)]
mod tests;
