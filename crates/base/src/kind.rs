//! What to do about an error: the one question every crate's error type answers.

/// What the person or program that meets an error can do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The input or configuration is wrong: mend it and try again.
    Invalid,
    /// The world is not ready (no broker, no disk, no network): try later.
    Unavailable,
    /// Stored bytes are not what was written: stop and page someone.
    Corrupt,
    /// Our own fault: report it.
    Bug,
}

impl Kind {
    /// The process exit code of an error of this kind.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Invalid => 2,
            Kind::Unavailable => 3,
            Kind::Corrupt => 1,
            Kind::Bug => 70,
        }
    }
}
