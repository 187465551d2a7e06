//! The canonical words of the closed columns. Another word from a source becomes `other` or `unknown`, and stays
//! in the raw column.

/// `action`.
pub const ACTIONS: &[&str] =
    &["search", "read", "create", "update", "delete", "print", "export", "override", "disclose", "other"];
/// `outcome`.
pub const OUTCOMES: &[&str] = &["success", "failure", "unknown"];
/// `activity`.
pub const ACTIVITIES: &[&str] = &["logon", "logoff", "challenge", "other"];
/// `factor`.
pub const FACTORS: &[&str] = &["password", "push", "otp", "hardware", "webauthn", "biometric", "sms", "other"];
/// `actor_kind`.
pub const ACTORS: &[&str] = &["human", "system", "patient", "unknown"];

/// The canonical spelling of `word`, whatever its case.
pub(crate) fn canonical(words: &[&'static str], word: &str) -> Option<&'static str> {
    let word = word.trim();
    words.iter().copied().find(|known| known.eq_ignore_ascii_case(word))
}
