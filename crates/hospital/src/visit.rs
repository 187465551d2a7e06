//! One opening of a chart: the unit of work from which events are rendered, whoever does it and why.

use base::Timestamp;

/// What is done in the chart; it decides the mix of verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// One to three reads.
    Glance,
    /// A read through the chart.
    Review,
    /// Reads and a note or observation.
    Chart,
    /// Reads and a new order.
    Order,
    /// Giving a drug.
    Medicate,
    /// Releasing a drug from the cabinet or pharmacy.
    Dispense,
    /// Registration of an arrival.
    Register,
    /// Coding of a discharge.
    Code,
    /// A bill.
    Bill,
    /// A laboratory result.
    Result,
    /// Reads, then an export.
    Extract,
    /// Reads, then a print.
    Print,
    /// A correction of what stands written.
    Amend,
    /// A search that opens nothing.
    Search,
}

/// From where the work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Channel {
    /// At a workstation in the house.
    House,
    /// At a second workstation in the house, beside the first.
    Beside,
    /// From home or the road, over the VPN.
    Remote,
    /// From somewhere else; the index is into the day's foreign origins.
    Away(u32),
}

/// One opening of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) time: Timestamp,
    pub(crate) patient: u32,
    /// Number of the encounter it belongs to; 0 = none.
    pub(crate) encounter: u32,
    pub(crate) task: Task,
    pub(crate) why: &'static str,
    /// Opened from a list at hand, so without a search.
    pub(crate) listed: bool,
    /// Access rules are overridden.
    pub(crate) glass: bool,
    pub(crate) channel: Channel,
    /// Index of the incident this is an act of.
    pub(crate) incident: Option<u32>,
}

impl Visit {
    /// Ordinary work at a workstation of the house.
    pub(crate) fn new(time: Timestamp, patient: u32, task: Task, why: &'static str) -> Self {
        Self {
            time,
            patient,
            encounter: 0,
            task,
            why,
            listed: false,
            glass: false,
            channel: Channel::House,
            incident: None,
        }
    }
}
