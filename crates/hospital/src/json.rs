//! One flat JSON object, written by hand into a reused buffer: a stream of a million events has no time for maps.

use std::io::Write;

use base::Timestamp;

/// Writes one object; call [`Object::end`] last.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Object<'a> {
    /// Starts an object in `out`, which is cleared.
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        out.clear();
        out.push(b'{');
        Self { out }
    }

    fn key(&mut self, key: &str) {
        if self.out.len() > 1 {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A text, escaped where it must be.
    pub(crate) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        let plain = value.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\');
        if plain {
            self.out.push(b'"');
            self.out.extend_from_slice(value.as_bytes());
            self.out.push(b'"');
        } else {
            self.out.extend_from_slice(serde_json::Value::from(value).to_string().as_bytes());
        }
        self
    }

    /// A list of plain texts under the key `names`.
    pub(crate) fn names(&mut self, values: &[&str]) -> &mut Self {
        self.key("names");
        self.out.extend_from_slice(serde_json::Value::from(values).to_string().as_bytes());
        self
    }

    /// A whole number.
    pub(crate) fn number(&mut self, key: &str, value: i64) -> &mut Self {
        self.key(key);
        self.digits(value);
        self
    }

    /// A number with this many decimal places.
    pub(crate) fn decimal(&mut self, key: &str, value: f64, places: usize) -> &mut Self {
        self.key(key);
        // Writing into a Vec cannot fail.
        let _ = write!(self.out, "{value:.places$}");
        self
    }

    /// True or false.
    pub(crate) fn flag(&mut self, key: &str, value: bool) -> &mut Self {
        self.key(key);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// An IPv4 address.
    pub(crate) fn address(&mut self, key: &str, address: [u8; 4]) -> &mut Self {
        self.key(key);
        self.out.push(b'"');
        for (place, byte) in address.into_iter().enumerate() {
            if place > 0 {
                self.out.push(b'.');
            }
            self.digits(i64::from(byte));
        }
        self.out.push(b'"');
        self
    }

    /// 64 bits as hexadecimal text behind a prefix.
    pub(crate) fn hex(&mut self, key: &str, prefix: &str, bits: u64) -> &mut Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        self.key(key);
        self.out.push(b'"');
        self.out.extend_from_slice(prefix.as_bytes());
        for place in (0..16).rev() {
            self.out.push(DIGITS[(bits >> (place * 4)) as usize & 15]);
        }
        self.out.push(b'"');
        self
    }

    /// A point in time: RFC 3339 in UTC, or milliseconds since the epoch.
    pub(crate) fn time(&mut self, key: &str, time: Timestamp, epoch: bool) -> &mut Self {
        if epoch {
            return self.number(key, time.millis());
        }
        self.key(key);
        let (year, month, day) = civil(time.millis().div_euclid(86_400_000));
        let within = time.millis().rem_euclid(86_400_000);
        let (seconds, millis) = (within / 1000, within % 1000);
        self.out.push(b'"');
        for (value, width, after) in [
            (year, 4, b'-'),
            (month, 2, b'-'),
            (day, 2, b'T'),
            (seconds / 3600, 2, b':'),
            (seconds / 60 % 60, 2, b':'),
            (seconds % 60, 2, b'.'),
            (millis, 3, b'Z'),
        ] {
            self.padded(value, width);
            self.out.push(after);
        }
        self.out.push(b'"');
        self
    }

    /// Ends the object.
    pub(crate) fn end(&mut self) {
        self.out.push(b'}');
    }

    fn padded(&mut self, value: i64, width: u32) {
        for place in (0..width).rev() {
            self.out.push(b'0' + (value / 10_i64.pow(place) % 10) as u8);
        }
    }

    fn digits(&mut self, value: i64) {
        let mut buffer = [0_u8; 20];
        let mut at = buffer.len();
        let mut left = value.unsigned_abs();
        loop {
            at -= 1;
            buffer[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if value < 0 {
            self.out.push(b'-');
        }
        self.out.extend_from_slice(&buffer[at..]);
    }
}

/// Year, month and day of a day since 1970-01-01 in the proleptic Gregorian calendar: 400 years are 146,097 days,
/// counted from the first of March so that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests;
