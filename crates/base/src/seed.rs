//! Seeds: every random draw starts from one, and parts of a program draw from children of it.

/// A seed for reproducible randomness. Children are independent of each other and of their order of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of the part called `name`.
    pub fn child(self, name: &str) -> Self {
        name.bytes().fold(self, |seed, byte| seed.index(u64::from(byte)))
    }

    /// The seed of the `index`th of many equal parts.
    pub fn index(self, index: u64) -> Self {
        Self(mix(self.0 ^ mix(index.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
