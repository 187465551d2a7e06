//! Requests of the Kafka protocol that no client library sends, over the unguarded way.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// A request that is being written.
pub(super) struct Request(Vec<u8>);

impl Request {
    /// With the header of one of the older versions, which have no tagged fields.
    pub(super) fn new(key: u16, version: u16) -> Self {
        let mut request = Self([key.to_be_bytes(), version.to_be_bytes()].concat());
        request.0.extend([0, 0, 0, 7]);
        request.text("tests");
        request
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn number(&mut self, number: i32) {
        self.0.extend(number.to_be_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.0.extend((text.len() as u16).to_be_bytes());
        self.0.extend(text.as_bytes());
    }

    /// The broker's answer behind its correlation.
    pub(super) fn ask(self, address: (&str, u16)) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&(self.0.len() as u32).to_be_bytes())?;
        stream.write_all(&self.0)?;
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer)?;
        Ok(answer.split_off(4.min(answer.len())))
    }
}

/// Writes a record whose one header has that name, which need not be a text (`Produce`, version 3, with a batch of version 2).
pub(super) fn produce(
    address: (&str, u16),
    (topic, partition): (&str, i32),
    value: &[u8],
    header: &[u8],
    time: i64,
) -> Result<(), String> {
    let mut record = vec![0, 0, 0];
    varint(&mut record, -1);
    varint(&mut record, value.len() as i64);
    record.extend(value);
    varint(&mut record, 1);
    varint(&mut record, header.len() as i64);
    record.extend(header);
    varint(&mut record, -1);
    let mut batch = vec![0; 6];
    batch.extend(time.to_be_bytes());
    batch.extend(time.to_be_bytes());
    // No producer's id, epoch and sequence; one record.
    batch.extend([0xff; 14]);
    batch.extend(1i32.to_be_bytes());
    varint(&mut batch, record.len() as i64);
    batch.extend(record);
    let mut whole = vec![0; 8];
    whole.extend((batch.len() as i32 + 9).to_be_bytes());
    whole.extend([0xff, 0xff, 0xff, 0xff, 2]);
    whole.extend(crc32c(&batch).to_be_bytes());
    whole.extend(batch);

    let mut request = Request::new(0, 3);
    // No transaction, all replicas, ten seconds, one topic.
    request.bytes(&[0xff, 0xff, 0xff, 0xff]);
    request.number(10_000);
    request.number(1);
    request.text(topic);
    request.number(1);
    request.number(partition);
    request.number(whole.len() as i32);
    request.bytes(&whole);
    let answer = request.ask(address).map_err(|error| format!("producing: {error}"))?;
    // Behind one topic's name and one partition's number.
    let code = answer.get(4 + 2 + topic.len() + 4 + 4..).and_then(|rest| rest.first_chunk::<2>());
    match code.map(|code| i16::from_be_bytes(*code)) {
        Some(0) => Ok(()),
        code => Err(format!("the broker takes no such record: {code:?}")),
    }
}

/// A number in the zigzag encoding of varying length.
fn varint(bytes: &mut Vec<u8>, number: i64) {
    let mut left = ((number << 1) ^ (number >> 63)) as u64;
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}

/// Castagnoli's checksum.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 })
    };
    !bytes.iter().fold(!0, step)
}
