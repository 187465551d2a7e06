//! Which models have to be named, and which are loaded.

use super::*;

/// It would run, tell nobody of anything, and look well.
#[test]
fn one_model_without_the_other_is_refused_where_users_are_scored() {
    let (file, pair, user) =
        ("pipeline.toml", "pair_model = \"model/pair.cwmodel\"\n", "user_model = \"model/user.cwmodel\"\n");
    let text = std::fs::read_to_string(shipped().join(file)).unwrap();
    let line = 1 + text.lines().position(|line| line.starts_with("pair_model")).unwrap();
    for (missing, removed, given) in [("pair_model", pair, "user_model"), ("user_model", user, "pair_model")] {
        // A comment that names it stands first.
        let edits =
            [(file, removed, ""), (file, "# Input topics,", "# pair_model = user_model = \"\"\n# Input topics,")];
        let folder = edited(&format!("without-{missing}"), &edits);
        let told = PipelineSpec::load(&folder, ModelUse::Score).unwrap_err().to_string();
        let features = PipelineSpec::load(&folder, ModelUse::Record).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let what = format!("`{given}` is given and `{missing}` is not: no case about users would open");
        for part in [what, format!("{file}:{}\n", line + 1), "hint: name both in [scoring]".to_owned()] {
            assert!(told.contains(&part), "{part:?} in:\n{told}");
        }
        assert!(features.models().pair.is_none(), "features are recorded without {missing}");
    }
    let folder = edited("without-both", &[(file, pair, ""), (file, user, "")]);
    let spec = PipelineSpec::load(&folder, ModelUse::Score).unwrap_or_else(|problems| panic!("{problems}"));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(!spec.judges_users() && !spec.rules().is_empty());
}

/// The user model is trained on what is recorded under the pair model alone.
#[test]
fn the_pair_model_is_loaded_without_the_user_model_and_asked_for_where_it_is_not_named() {
    let (file, pair, user) =
        ("pipeline.toml", "pair_model = \"model/pair.cwmodel\"\n", "user_model = \"model/user.cwmodel\"\n");
    for (name, edits) in [("pair-of-both", vec![]), ("pair-alone", vec![(file, user, "")])] {
        let folder = edited(name, &edits);
        let spec = PipelineSpec::load(&folder, ModelUse::PairOnly).unwrap_or_else(|problems| panic!("{problems}"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((spec.models().pair.is_some(), spec.models().user.is_some()), (true, false), "{name}");
    }
    let text = std::fs::read_to_string(shipped().join(file)).unwrap();
    let section = 1 + text.lines().position(|line| line == "[scoring]").unwrap();
    let at = format!("{file}:{section}\n");
    for (name, edits) in [("no-pair", vec![(file, pair, "")]), ("no-model", vec![(file, pair, ""), (file, user, "")])] {
        let folder = edited(name, &edits);
        let told = PipelineSpec::load(&folder, ModelUse::PairOnly).unwrap_err().to_string();
        std::fs::remove_dir_all(&folder).unwrap();
        let what = "`pair_model` is not given: features of users would hold no scores of pairs";
        for part in [what, at.as_str(), "hint: name it in [scoring]; `chartwarden train` makes"] {
            assert!(told.contains(part), "{part:?} in:\n{told}");
        }
    }
}
