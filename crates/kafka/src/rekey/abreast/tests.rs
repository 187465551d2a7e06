use super::*;

#[test]
fn under_a_steady_stream_a_copy_is_close_once_it_passes_an_end_that_was_noted() {
    let mut copy = Abreast::default();
    assert!(!copy.is_close(), "nothing is known yet");
    copy.look(false, Some(10), Some(100));
    copy.look(false, Some(99), Some(180));
    assert!(!copy.is_close(), "one record of those is missing");
    copy.look(false, Some(100), Some(190));
    assert!(copy.is_close());
    // The next end to pass is the newest.
    assert_eq!(copy.ahead.as_ref().map(|(end, _)| *end), Some(190));
    copy.look(false, Some(150), Some(300));
    assert_eq!(copy.ahead.as_ref().map(|(end, _)| *end), Some(190));
}

#[test]
fn what_ends_is_copied_whole_and_what_says_nothing_is_not() {
    let mut copy = Abreast::default();
    copy.look(false, None, None);
    assert!(!copy.is_close() && copy.ahead.is_none());
    copy.look(true, None, Some(0));
    assert!(copy.is_close());
}
