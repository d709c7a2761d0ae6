//! The files that `analyze` writes: made before any is written, so that no new figures stand beside an old page.

use std::fs::File;
use std::path::Path;

use crate::analysis::{Analysis, files as tables_of};
use crate::files::{self, FileError};

/// The folder of the page's drawings.
pub const FIGURES: &str = "figures";

/// The name of a file and what it will hold.
pub type Content = (String, Vec<u8>);

/// The tables of an analysis; the images of its chains only with the last of several.
pub fn tables(analysis: &Analysis, size: (usize, usize), is_last: bool) -> anyhow::Result<Vec<Content>> {
    Ok(vec![
        ("analysis.json".to_owned(), tables_of::json(analysis)?),
        ("latent.npz".to_owned(), tables_of::npz(analysis, size, is_last)?),
        ("currents.dot".to_owned(), tables_of::dot(analysis).into_bytes()),
    ])
}

/// Writes files into a folder, which is made if need be.
///
/// # Errors
/// When one cannot be written.
pub fn write_all(folder: &Path, contents: Vec<Content>) -> Result<(), FileError> {
    let create = |folder: &Path| {
        std::fs::create_dir_all(folder).map_err(|source| FileError::Write {
            path: folder.to_owned(),
            source,
        })
    };
    create(folder)?;
    if contents.iter().any(|(name, _)| name.starts_with(FIGURES)) {
        create(&folder.join(FIGURES))?;
    }
    // Of two analyses of one run at a time, one writes all its files and then the other. Where a lock holds on one host only, or folders cannot be
    // locked, both write, and a file half written may be the other's.
    let _lock = File::open(folder).ok().filter(|folder| folder.lock().is_ok());
    files::remove_old_partial(folder);
    files::remove_old_partial(&folder.join(FIGURES));
    contents
        .into_iter()
        .try_for_each(|(name, content)| files::write(&folder.join(name), &content))
}
