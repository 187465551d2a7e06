//! Panics of foreign code over what anybody may write: caught, and no fault of ours.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `read` gives; nothing where it panics. Only for calls of a library that panics on bad input, and keep nothing of
/// what it was at.
pub fn guarded<T>(read: impl FnOnce() -> T) -> Option<T> {
    let before = GUARDED.replace(true);
    let read = catch_unwind(AssertUnwindSafe(read)).ok();
    GUARDED.set(before);
    read
}

/// Whether a panic of this thread is about to be caught: a hook that ends the process must let it be.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_only_where_it_is_expected() {
        assert_eq!(
            guarded(|| (is_guarded(), guarded(|| panic!("bad input")).is_none(), is_guarded())),
            Some((true, true, true))
        );
        assert!(!is_guarded());
    }
}
