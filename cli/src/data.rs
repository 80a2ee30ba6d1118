//! The example data.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use futures::stream::{self, StreamExt, TryStreamExt};
use tidemill_aws::S3Bucket;

const EXAMPLE: &str = "examples/nycflights13";

/// The folder of the example data: in this checkout, or where the program was built.
pub(crate) fn example_folder() -> anyhow::Result<PathBuf> {
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(EXAMPLE);
    for folder in [PathBuf::from(EXAMPLE), built_in] {
        if folder.join("tables").is_dir() {
            return Ok(folder);
        }
    }
    bail!("{EXAMPLE} is not here: run this in a checkout of the repository")
}

/// Uploads the files of a folder under their paths from `root`; how many, and their bytes.
pub(crate) async fn upload(
    bucket: &S3Bucket,
    root: &Path,
    folder: &Path,
) -> anyhow::Result<(usize, usize)> {
    let mut files = vec![];
    collect(root, folder, &mut files)?;
    let sizes: Vec<usize> = stream::iter(files)
        .map(|(key, path)| async move {
            let bytes = tokio::fs::read(&path)
                .await
                .with_context(|| format!("reading {} failed", path.display()))?;
            let size = bytes.len();
            bucket.put(&key, bytes.into(), &[]).await?;
            anyhow::Ok(size)
        })
        .buffer_unordered(4)
        .try_collect()
        .await?;
    Ok((sizes.len(), sizes.iter().sum()))
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("reading {} failed", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Some(key) = path.strip_prefix(root)?.to_str() {
            files.push((key.to_owned(), path));
        }
    }
    files.sort();
    Ok(())
}
