//! Which configured network an address lies in: internal, vpn, guest, ... by longest prefix.

use std::net::IpAddr;
use std::str::FromStr;

use crate::limits::NETWORKS_MAX;
use crate::{Error, Result};

/// The name of a network no range covers, unless configured otherwise.
pub const EXTERNAL: &str = "external";

/// Address ranges with names; the longest prefix wins, whatever the order of the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks {
    names: Vec<String>,
    /// By falling prefix length, so that the first match is the longest.
    ranges: Vec<Range>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    v4: bool,
    bits: u128,
    prefix: u8,
    name: u16,
}

/// The index of a network's name.
pub(crate) type NetworkIndex = u16;

impl Default for Networks {
    fn default() -> Self {
        Self { names: vec![EXTERNAL.to_owned()], ranges: Vec::new() }
    }
}

impl Networks {
    /// Networks from (CIDR range, name) pairs, and the name of everything else.
    pub fn new<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>, default_name: &str) -> Result<Self> {
        let mut networks = Self { names: vec![checked_name("default", default_name)?], ranges: Vec::new() };
        for (text, name) in entries {
            networks.add(text, name)?;
        }
        networks.ranges.sort_by_key(|range| std::cmp::Reverse(range.prefix));
        Ok(networks)
    }

    fn add(&mut self, text: &str, name: &str) -> Result<()> {
        let bad = |problem: String| Error::Network { range: text.to_owned(), problem };
        let name = checked_name(text, name)?;
        let (v4, bits, prefix) = parse_range(text).map_err(bad)?;
        if self.ranges.len() >= NETWORKS_MAX {
            return Err(bad(format!("more than {NETWORKS_MAX} ranges")));
        }
        let twin = self.ranges.iter().find(|range| (range.v4, range.bits, range.prefix) == (v4, bits, prefix));
        if let Some(twin) = twin {
            let first = &self.names[usize::from(twin.name)];
            return Err(bad(format!("stands twice, as `{first}` and as `{name}`")));
        }
        let name = match self.names.iter().position(|known| *known == name) {
            Some(index) => index,
            None => {
                self.names.push(name);
                self.names.len() - 1
            }
        };
        // At most NETWORKS_MAX + 1 names.
        let name = u16::try_from(name).unwrap_or(0);
        self.ranges.push(Range { v4, bits, prefix, name });
        Ok(())
    }

    /// The name of the network `address` lies in.
    pub fn name_of(&self, address: IpAddr) -> &str {
        self.name(self.index_of(address))
    }

    pub(crate) fn index_of(&self, address: IpAddr) -> NetworkIndex {
        let (v4, bits) = as_bits(address.to_canonical());
        let inside = |range: &&Range| range.v4 == v4 && masked(bits, range.prefix) == range.bits;
        self.ranges.iter().find(inside).map_or(0, |range| range.name)
    }

    pub(crate) fn name(&self, index: NetworkIndex) -> &str {
        &self.names[usize::from(index)]
    }
}

/// One `range name` per line; `#` starts a comment; the line `default name` names everything else.
impl FromStr for Networks {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut entries = Vec::new();
        let mut default_name = EXTERNAL;
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            match line.split_once(char::is_whitespace) {
                None if line.is_empty() => {}
                None => return Err(Error::Network { range: line.to_owned(), problem: "has no name".to_owned() }),
                Some(("default", name)) => default_name = name.trim(),
                Some((range, name)) => entries.push((range, name.trim())),
            }
        }
        Self::new(entries, default_name)
    }
}

fn checked_name(range: &str, name: &str) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if (1..=32).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(name.to_owned());
    }
    let problem = format!("the name `{name}` is not 1 to 32 lower-case letters, digits, `-` or `_`");
    Err(Error::Network { range: range.to_owned(), problem })
}

/// IPv4 addresses stand in the upper 32 bits, so that prefixes of both families mask alike.
fn as_bits(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(v4) => (true, u128::from(v4.to_bits()) << 96),
        IpAddr::V6(v6) => (false, v6.to_bits()),
    }
}

fn masked(bits: u128, prefix: u8) -> u128 {
    bits & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

fn parse_range(text: &str) -> std::result::Result<(bool, u128, u8), String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| "expected a range like `10.0.0.0/8` or `2001:db8::/32`")?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(prefix) => prefix
            .parse()
            .ok()
            .filter(|length: &u8| *length <= longest)
            .ok_or_else(|| format!("the prefix length must be a number from 0 to {longest}"))?,
    };
    let (v4, bits) = as_bits(address);
    if masked(bits, prefix) != bits {
        return Err(format!("has bits set beyond its prefix length {prefix}"));
    }
    Ok((v4, bits, prefix))
}

#[cfg(test)]
mod tests;
