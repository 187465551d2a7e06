//! What can be wrong with the configuration of decoding. What is wrong with a record is a [`crate::Reject`].

use base::Kind;

/// A key file, network table or decoder that cannot work.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The format has nothing for the stream.
    #[error("format `{format}` cannot feed stream `{stream}`: it holds {holds} only")]
    FormatStream {
        /// The format.
        format: &'static str,
        /// The stream.
        stream: &'static str,
        /// What the format does hold.
        holds: &'static str,
    },
    /// The pseudonym key file does not parse. The text never shows the line: it may be the key.
    #[error("pseudonym key file, line {line}: {problem}")]
    KeyFile {
        /// Line, from 1; 0 for the file as a whole.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// An entry of the network table does not parse.
    #[error("network `{range}`: {problem}")]
    Network {
        /// The range as written.
        range: String,
        /// What is wrong.
        problem: String,
    },
    /// A span of time that cannot be a limit.
    #[error("{option} is {given}: it must not be negative")]
    NegativeSpan {
        /// The option.
        option: &'static str,
        /// Its value.
        given: base::Millis,
    },
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        Kind::Invalid
    }
}

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
