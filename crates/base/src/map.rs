//! Hash maps for what is looked up at every event. Their order is random, as that of any hash map.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

/// A map with a hash that costs a few nanoseconds.
pub type FastMap<K, V> = HashMap<K, V, RandomState>;

/// A set of the same kind.
pub type FastSet<T> = HashSet<T, RandomState>;
