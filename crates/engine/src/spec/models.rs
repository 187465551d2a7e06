//! The models that a pipeline names: which of them are wanted, and whether they fit its features.

use std::path::Path;

use arrow::datatypes::Schema;
use features::Program;
use risk::Model;

use super::raw::RawSpec;
use super::reader::Reader;
use super::{ModelUse, Models, settings};

impl Reader<'_> {
    /// Those that are named and wanted, each bound to the columns it is given.
    pub(super) fn models(
        &mut self,
        file: &Path,
        text: &str,
        raw: &RawSpec,
        models: ModelUse,
        program: &Program,
    ) -> Models {
        if let Some(misfit) = settings::unnamed_model(raw, models) {
            self.misfit(file, text, misfit);
            return Models::default();
        }
        let (pair, user) = (raw.scoring.pair_model.as_deref(), raw.scoring.user_model.as_deref());
        let (pair, user) = match models {
            ModelUse::Score => (pair, user),
            // The user model is trained on what comes of this, and there may be none yet.
            ModelUse::PairOnly => (pair, None),
            ModelUse::Record => (None, None),
        };
        let mut load = |path: &str, schema: &Schema| -> Option<Model> {
            let at = self.line_of(file, text, path);
            let bytes = match std::fs::read(self.folder.join(path)) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let hint = "`chartwarden train` makes one".to_owned();
                    self.problem(at, format!("model `{path}` cannot be read: {error}"), Some(hint));
                    return None;
                }
            };
            let model = Model::from_bytes(&bytes).and_then(|model| model.bind(schema).map(|_| model));
            model.map_err(|error| self.problem(at, format!("model `{path}`: {error}"), None)).ok()
        };
        Models {
            pair: pair.and_then(|path| load(path, program.pair_schema())),
            user: user.and_then(|path| load(path, program.user_schema())),
        }
    }
}
