use super::*;

/// Whoever shares the machine could lay a link where the folder was to be, and have files of ours written through it.
#[test]
fn the_shipped_pipeline_is_read_from_a_folder_that_nobody_could_foresee() {
    let place = tempfile::tempdir().unwrap();
    let victim = place.path().join("victim");
    std::fs::create_dir(&victim).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&victim, place.path().join(format!("chartwarden-{}", std::process::id()))).unwrap();
    let before = std::fs::read_dir(place.path()).unwrap().count();
    let spec = load_within(place.path(), ModelUse::Record).unwrap();
    assert_eq!(spec.name(), "insider-breach");
    assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 0, "it was written through the link");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), before, "and nothing is left behind");
    let folder = spec.folder().file_name().unwrap().to_string_lossy().into_owned();
    assert_ne!(folder, format!("chartwarden-{}", std::process::id()));
}
