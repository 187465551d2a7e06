//! Reads one partition of a state topic from its beginning to the high watermark.
//!
//! The watermark is asked for *after* the lane's former owner was fenced and what hung was swept: by then the last stable
//! offset has caught up with it, because only one lane writes to the partition, so a reader of committed data gets there.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::message::BorrowedMessage;

use crate::admin::Admin;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Result, unavailable};
use crate::limits::{READ_STALL_MAX, SLEEP_MAX};
use crate::reader::{Key, Reader};
use crate::signal::Signal;

/// One client for the restores of all lanes of a process, built when it is needed.
#[derive(Clone)]
pub(crate) struct Restorer {
    reader: Arc<Mutex<Option<Reader>>>,
    config: Arc<Config>,
    admin: Arc<Admin>,
    topics: Arc<Vec<String>>,
}

impl Restorer {
    /// Of the topics that it may be asked for.
    pub(crate) fn new(config: &Config, admin: Arc<Admin>, topics: Vec<String>) -> Self {
        Self { reader: Arc::default(), config: Arc::new(config.clone()), admin, topics: Arc::new(topics) }
    }

    /// Lets the client go: nobody serves it while nothing is restored, and its statistics would pile up unread.
    pub(crate) fn rest(&self) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether there is no client.
    #[cfg(test)]
    pub(crate) fn is_resting(&self) -> bool {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Gives every committed record of the partition to `each`, in offset order, up to the high watermark of now.
    pub(crate) fn read(
        &self,
        topic: &str,
        partition: i32,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> Result<()>,
    ) -> Result<()> {
        let (low, high) = self.admin.watermarks(topic, partition)?;
        tracing::debug!(topic, partition, low, high, "restoring");
        if low == high {
            return Ok(());
        }
        let Some(index) = self.topics.iter().position(|known| known == topic) else {
            return Err(unavailable(format!("topic `{topic}` is not one of this restorer's")));
        };
        let mut kept = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = match &mut *kept {
            Some(reader) => reader,
            none => none.insert(Reader::new(&self.config.waited_reader()?, self.topics.to_vec(), Signal::default())?),
        };
        let key = (index, partition);
        reader.add(key, None)?;
        let mut records = 0_u64;
        let counted = |message: &BorrowedMessage<'_>| {
            records += 1;
            each(message)
        };
        let read = drain(reader, key, high, counted);
        tracing::debug!(topic, partition, records, at = ?reader.ends(key), "restored");
        reader.remove(key)?;
        read
    }
}

/// Reads one partition until everything below `target` has been handed out.
pub(crate) fn drain(
    reader: &mut Reader,
    key: Key,
    target: i64,
    mut each: impl FnMut(&BorrowedMessage<'_>) -> Result<()>,
) -> Result<()> {
    let mut deadline = Deadline::after(READ_STALL_MAX);
    loop {
        reader.serve()?;
        let taken = reader.take(key, usize::MAX, usize::MAX, &mut each)?;
        if reader.reached(key, target) {
            return Ok(());
        }
        if taken.records > 0 {
            deadline = Deadline::after(READ_STALL_MAX);
        } else if deadline.passed() {
            return Err(unavailable(format!(
                "topic `{}` partition {}: {} s without a record on the way to offset {target}; check that its leader is \
                 up and that no foreign producer holds a transaction open there",
                reader.topic(key),
                key.1,
                READ_STALL_MAX.as_secs()
            )));
        } else {
            reader.sleep(SLEEP_MAX);
        }
    }
}
