use super::*;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/insider-breach")
}

#[test]
fn the_shipped_pipeline_compiles_and_has_enough_features() {
    let spec = PipelineSpec::load(&shipped(), ModelUse::Record).unwrap_or_else(|problems| panic!("{problems}"));
    let numeric = spec.program().user_schema().fields().len() - 1 - spec.rules().len();
    assert!(numeric >= 60, "{numeric} user features");
    assert_eq!(spec.digests(), PipelineSpec::load(&shipped(), ModelUse::Record).unwrap().digests());
}

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    let folder = std::env::temp_dir().join(format!("chartwarden-spec-{}", std::process::id()));
    copy(&shipped(), &folder);
    let edit = |file: &str, from: &str, to: &str| {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} holds {from}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    };
    edit("windows/auth.sql", "speed_kmh END", "speed_kph END");
    edit("windows/access.sql", "max(known_days)", "array_agg(known_days)");
    let problems = PipelineSpec::load(&folder, ModelUse::Record).unwrap_err().to_string();
    std::fs::remove_dir_all(&folder).unwrap();
    for expected in [
        "unknown column `speed_kph`",
        "windows/auth.sql:18",
        "did you mean `speed_kmh`?",
        "`array_agg` over these columns has a state that depends on the order of rows",
        "windows/access.sql:52",
    ] {
        assert!(problems.contains(expected), "{expected:?} in:\n{problems}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
