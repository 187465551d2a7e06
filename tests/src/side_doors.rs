//! Whether raw ids stand where they must not.

use std::collections::BTreeSet;

/// Raw ids of people, as a source system spells them.
pub type RawIds = BTreeSet<String>;

/// The first raw id among the words of a text or of any other bytes.
pub fn leak<'a>(bytes: &[u8], ids: &'a RawIds) -> Option<&'a str> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let words = bytes.split(|byte| !is_word(byte)).filter_map(|word| std::str::from_utf8(word).ok());
    words.filter_map(|word| ids.get(word)).map(String::as_str).next()
}
