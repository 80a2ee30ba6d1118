use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::quotes::{self, Cuts};
use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// A view of the bucket that holds the pinned files of one table and nothing else: every GET
/// carries the pinned ETag, every other key is refused, nothing can be written.
#[derive(Debug)]
pub(crate) struct PinnedStore {
    inner: Arc<dyn ObjectStore>,
    etags: HashMap<Path, String>,
    /// Of the CSV files that are read in parts.
    cuts: HashMap<Path, Arc<Cuts>>,
}

impl PinnedStore {
    pub(crate) fn new(
        inner: Arc<dyn ObjectStore>,
        files: impl IntoIterator<Item = (Path, String)>,
    ) -> Self {
        Self { inner, etags: files.into_iter().collect(), cuts: HashMap::new() }
    }

    /// Counts the quotes of parts of these files.
    #[must_use]
    pub(crate) fn with_cuts(mut self, cuts: impl IntoIterator<Item = (Path, Cuts)>) -> Self {
        self.cuts = cuts.into_iter().map(|(path, cuts)| (path, Arc::new(cuts))).collect();
        self
    }
}

impl fmt::Display for PinnedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pinned files", self.etags.len())
    }
}

fn refuse<T>() -> Result<T> {
    Err(Error::NotSupported { source: "a pinned table can only be read".into() })
}

#[async_trait]
impl ObjectStore for PinnedStore {
    async fn get_opts(&self, path: &Path, mut options: GetOptions) -> Result<GetResult> {
        let Some(etag) = self.etags.get(path) else {
            let source = format!("{path} is no file of the plan").into();
            return Err(Error::PermissionDenied { path: path.to_string(), source });
        };
        options.if_match = Some(etag.clone());
        let is_part = options.range.is_some();
        let result = self.inner.get_opts(path, options).await?;
        Ok(match self.cuts.get(path).filter(|_| is_part) {
            Some(cuts) => quotes::count(result, cuts.clone()),
            None => result,
        })
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        refuse()
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        refuse()
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        paths.map(|_| refuse()).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        futures::stream::once(async { refuse() }).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        refuse()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        refuse()
    }
}
