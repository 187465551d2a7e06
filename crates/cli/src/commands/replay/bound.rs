//! Where the span begins or ends whose findings a replay writes: at a time, or where a record was read.

use std::str::FromStr;

use anyhow::Result;
use archive::Listing;
use base::Timestamp;
use engine::PipelineSpec;
use engine::ports::LaneId;
use events::Offset;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::report::Failure;

/// A time local to the house, or a record of an input topic.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bound {
    Local(DateTime),
    Record { topic: String, lane: LaneId, offset: Offset },
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let local = text.parse().map(Self::Local).ok();
        local.or_else(|| record(text)).ok_or_else(|| {
            "write a time, as in `2026-01-20` or `2026-01-20T14:30`, or a record as TOPIC:PARTITION:OFFSET, as in \
             `ehr.access.v1:0:1234`"
                .to_owned()
        })
    }
}

/// As Kafka's own tools print it. A time that is none (`2026-01-20T14:60:00`) names no topic either.
fn record(text: &str) -> Option<Bound> {
    let mut parts = text.rsplitn(3, ':');
    let (offset, partition, topic) = (parts.next()?, parts.next()?, parts.next()?);
    let topic = Some(topic).filter(|topic| topic.parse::<DateTime>().is_err())?;
    let offset = offset.parse().ok().filter(|offset| *offset >= 0)?;
    Some(Bound::Record { topic: topic.to_owned(), lane: LaneId(partition.parse().ok()?), offset: Offset(offset) })
}

impl Bound {
    /// The moment it stands for: that of a record is the end of the tick that read it.
    pub(super) fn moment(&self, spec: &PipelineSpec, archive: Option<&Listing>) -> Result<Timestamp> {
        match (self, archive) {
            (Self::Local(local), _) => moment_of(*local, spec.program().zone()),
            (Self::Record { topic, lane, offset }, Some(archive)) => {
                Ok(archive::tick_that_read(archive, spec, topic, *lane, *offset)?)
            }
            (Self::Record { .. }, None) => {
                Err(Failure::invalid("recorded files have no offsets").hint("name a time, or --archive").into())
            }
        }
    }
}

/// The moment of a local time. At either end of the calendar there are local times that are none in UTC.
fn moment_of(local: DateTime, zone: &TimeZone) -> Result<Timestamp> {
    let zoned = local.to_zoned(zone.clone()).map_err(|_| {
        Failure::invalid(format!("there is no such time as {local}")).hint("name a time that is nearer to now")
    })?;
    Ok(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;

    #[test]
    fn a_bound_is_a_time_or_a_record() {
        let local = |text: &str| Bound::Local(text.parse().unwrap());
        for text in ["2026-01-20", "2026-01-20T14:30", "2026-01-20T14:30:05"] {
            assert_eq!(text.parse(), Ok(local(text)), "{text}");
        }
        let record = Bound::Record { topic: "ehr.access.v1".to_owned(), lane: LaneId(3), offset: Offset(1_234) };
        assert_eq!("ehr.access.v1:3:1234".parse(), Ok(record));
        for text in
            ["", "yesterday", "ehr.access.v1:3", "ehr.access.v1:3:-1", "ehr.access.v1:x:1", "2026-01-20T14:60:00"]
        {
            let problem = text.parse::<Bound>().unwrap_err();
            assert!(problem.contains("TOPIC:PARTITION:OFFSET"), "{text}: {problem}");
        }
    }

    #[test]
    fn a_time_at_the_end_of_the_calendar_is_wrong_usage() {
        let moment = |text: &str| moment_of(text.parse().unwrap(), &TimeZone::UTC);
        assert_eq!(moment("1970-01-02").unwrap(), Timestamp::from_millis(86_400_000));
        for text in ["9999-12-31", "9999-12-31T23:59:59", "-009999-01-01"] {
            let error = moment(text).unwrap_err();
            assert_eq!(report::kind(&error).exit_code(), 2, "{text}");
            assert!(error.to_string().starts_with("there is no such time as "), "{text}: {error}");
        }
    }
}
