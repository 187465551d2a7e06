use super::*;

#[test]
fn what_is_taken_out_gives_its_room_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::within(folder.path());
    let record = |number: u32| vec![number as u8; 1_000 + number as usize];
    let mut next = 0;
    for number in 0..400 {
        spool.push(number, &record(number)).unwrap();
        // Never all of it, and not always from the front.
        if number % 10 == 9 {
            let taken = spool.take(|known| *known + 5 < number && *known != 3).unwrap();
            let expected: Vec<u32> = (next..number - 5).filter(|known| *known != 3).collect();
            assert!(taken.iter().map(|(known, _)| *known).eq(expected), "{number}");
            assert!(taken.iter().all(|(known, bytes)| *bytes == record(*known)), "{number}");
            next = number - 5;
        }
        let length = spool.file.as_ref().unwrap().metadata().unwrap().len();
        assert!(length < 60_000, "{length} bytes for {}", spool.count());
    }
    let left: Vec<u32> = spool.known().copied().collect();
    assert_eq!(left, [3, 394, 395, 396, 397, 398, 399]);
    assert_eq!(spool.byte_count(), left.iter().map(|known| record(*known).len() as u64).sum::<u64>());
    assert_eq!(spool.read(1).unwrap(), record(394));
    assert_eq!(spool.take(|_| true).unwrap().len(), left.len());
    assert!(spool.count() == 0 && spool.byte_count() == 0 && spool.file.is_none());
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "its file has no name");
}
