use anyhow::anyhow;

use super::*;

#[test]
fn a_process_ends_with_the_first_of_its_failures() {
    all_well([Ok(()), Ok(())]).unwrap();
    let ended = all_well([Ok(()), Err(anyhow!("the archive")), Err(anyhow!("the ledger"))]).unwrap_err();
    assert_eq!(ended.to_string(), "the archive");
}
