//! The files beside the tree the checkpoint covers: older checkpoints, the head, partial tiles of older sizes, and
//! whatever does not belong. Never reports what a commit under way leaves for a moment as a problem.
//! Read next: `verify.rs`.

use super::walk::Promises;
use super::{Held, Verifier};
use crate::checkpoint::CHECKPOINT_PATH;
use crate::head::{HEAD_PATH, Head};
use crate::ledger::staging;
use crate::limits::{
    BUNDLE_BYTES_MAX, CHECKPOINT_BYTES_MAX, HEAD_BYTES_MAX, STAGING_BYTES_MAX, TILE_BYTES_MAX, TILE_WIDTH,
};
use crate::seal::digest;
use crate::{Checkpoint, Resource, Result, TlogProof, VerifierKey, bundle};

impl Verifier<'_> {
    /// Every root the log signed for in this directory.
    pub(super) async fn promises(
        &mut self,
        names: &[String],
        newest: &Checkpoint,
        vkey: &VerifierKey,
        held: &[Held],
    ) -> Result<Promises> {
        let mut promises = Promises::new();
        for Held { name, bytes } in held {
            // Of a receipt, the checkpoint it was made under.
            let note = TlogProof::parse(bytes).map_or_else(|_| bytes.clone(), |proof| proof.checkpoint);
            match Checkpoint::open(&note, vkey) {
                Ok(promised) => self.promise(name, &promised, newest, &mut promises),
                Err(reason) => self.problem(format!("{name}: {reason}")),
            }
        }
        for path in names {
            let promised = if let Some(size) = path.strip_prefix("checkpoints/") {
                self.kept_checkpoint(path, size, vkey).await?
            } else if path == HEAD_PATH {
                self.head(newest, vkey).await?
            } else {
                None
            };
            promised.iter().for_each(|promised| self.promise(path, promised, newest, &mut promises));
        }
        Ok(promises)
    }

    /// Holds the log to what it signed for.
    fn promise(&mut self, by: &str, promised: &Checkpoint, newest: &Checkpoint, promises: &mut Promises) {
        let (signed, shown) = (promised.size, newest.size);
        if signed == shown && promised.root != newest.root {
            self.divergence(format!("{by}: the log signed another root of size {shown} than it shows"));
        } else if signed <= shown {
            promises.entry(signed).or_default().push((by.to_owned(), promised.hash()));
        } else if by == HEAD_PATH {
            self.note(format!("{by}: {signed} entries are committed, {shown} published"));
        } else {
            self.divergence(format!("{by}: the log signed {signed} entries and shows a checkpoint over {shown}"));
        }
    }

    async fn kept_checkpoint(&mut self, path: &str, size: &str, vkey: &VerifierKey) -> Result<Option<Checkpoint>> {
        let Some(note) = self.read(path, CHECKPOINT_BYTES_MAX).await? else { return Ok(None) };
        match Checkpoint::open(&note, vkey) {
            Ok(checkpoint) if checkpoint.size > 0 && checkpoint.size.to_string() == size => Ok(Some(checkpoint)),
            Ok(checkpoint) => {
                self.problem(format!("{path}: it is a checkpoint of size {}", checkpoint.size));
                Ok(None)
            }
            Err(reason) => {
                self.problem(format!("{path}: {reason}"));
                Ok(None)
            }
        }
    }

    async fn head(&mut self, newest: &Checkpoint, vkey: &VerifierKey) -> Result<Option<Checkpoint>> {
        let Some(bytes) = self.read(HEAD_PATH, HEAD_BYTES_MAX).await? else { return Ok(None) };
        let decoded = Head::decode(&bytes).map_err(|error| error.to_string());
        let opened = decoded.and_then(|head| {
            let committed = Checkpoint::open(head.note.as_bytes(), vkey)?;
            head.check(vkey)?;
            Ok((committed, head))
        });
        match opened {
            Ok((committed, _)) if committed.size < newest.size => {
                let (head, newest) = (committed.size, newest.size);
                self.problem(format!(
                    "{HEAD_PATH}: it stands at {head} entries, the checkpoint at {newest}: it was set back"
                ));
                Ok(None)
            }
            // A commit publishes what it has staged, and lets go of it only then.
            Ok((committed, head))
                if committed.size > newest.size && !self.is_under_way(&committed, &head, vkey).await? =>
            {
                let (head, newest) = (committed.size, newest.size);
                self.divergence(format!(
                    "{HEAD_PATH}: {head} entries are committed, {newest} shown, and what was between is gone: the log was \
                     set back"
                ));
                Ok(None)
            }
            Ok((committed, _)) => Ok(Some(committed)),
            Err(reason) => {
                self.problem(format!("{HEAD_PATH}: {reason}"));
                Ok(None)
            }
        }
    }

    /// Whether a commit is being published: what it staged is there still, or its checkpoint is by now.
    async fn is_under_way(&self, committed: &Checkpoint, head: &Head, vkey: &VerifierKey) -> Result<bool> {
        let staged = self.store.read(&staging::path(&head.staging), STAGING_BYTES_MAX).await?;
        if staged.is_some_and(|staged| digest(&staged) == head.staging_digest) {
            return Ok(true);
        }
        let note = self.store.read(CHECKPOINT_PATH, CHECKPOINT_BYTES_MAX).await?;
        let shown = note.and_then(|note| Checkpoint::open(&note, vkey).ok());
        Ok(shown.is_some_and(|shown| shown.size >= committed.size))
    }

    /// Files that the walk over the tree did not need.
    pub(super) async fn beside(&mut self, names: &[String], newest: &Checkpoint) -> Result<()> {
        for path in names {
            let ours = path == "checkpoint"
                || path == HEAD_PATH
                || path == "state/lock"
                || path == "state/head.next"
                || path.starts_with("checkpoints/");
            if ours {
                continue;
            }
            if path.starts_with("staging/") {
                self.note(format!("{path}: a commit that was not finished"));
                continue;
            }
            match path.parse::<Resource>() {
                Ok(resource) => self.spare(resource, newest.size).await?,
                Err(_) => self.problem(format!("{path}: no part of a ledger has this name")),
            }
        }
        Ok(())
    }

    /// A tile or bundle of another size than the checkpoint's must still be a beginning of the one that is there now.
    async fn spare(&mut self, resource: Resource, size: u64) -> Result<()> {
        let below = match resource {
            Resource::Tile { level, .. } => 8 * u32::from(level),
            Resource::Entries { .. } => 0,
        };
        let hashes = size.checked_shr(below).unwrap_or(0);
        let first = resource.index().checked_mul(TILE_WIDTH as u64);
        let present = first.and_then(|first| hashes.checked_sub(first)).unwrap_or(0).min(TILE_WIDTH as u64) as u16;
        if resource.width() == present {
            return Ok(());
        }
        if resource.width() > present {
            self.note(format!("{resource}: it reaches beyond the checkpoint's {size} entries and was not checked"));
            return Ok(());
        }
        let bytes_max = match resource {
            Resource::Tile { .. } => TILE_BYTES_MAX,
            Resource::Entries { .. } => BUNDLE_BYTES_MAX,
        };
        let (path, wider) = (resource.to_string(), resource.with_width(present).to_string());
        let (Some(spare), Some(wider)) = (self.read(&path, bytes_max).await?, self.read(&wider, bytes_max).await?)
        else {
            return Ok(());
        };
        let width = usize::from(resource.width());
        let length = match resource {
            Resource::Tile { .. } => Some(width * 32),
            Resource::Entries { .. } => bundle::prefix_bytes(&wider, width),
        };
        if Some(spare.len()) != length {
            self.problem(format!("{path}: {} bytes are not {width} of its kind", spare.len()));
        } else if let Some(at) = (0..spare.len()).find(|at| spare.get(*at) != wider.get(*at)) {
            self.problem(format!("{path}: byte {at} differs from the wider file that took its place"));
        }
        Ok(())
    }
}
