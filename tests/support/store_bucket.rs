use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
};
use tidemill_protocol::bucket::{Body, Created, NewObject, Object, ObjectInfo};
use tidemill_protocol::{Bucket, BucketError};

/// A bucket on any object store, so that the engine and the protocol share one in memory.
pub(crate) struct StoreBucket(pub(crate) Arc<dyn ObjectStore>);

fn bare(etag: Option<&String>) -> String {
    etag.map_or("", String::as_str).trim_matches('"').to_owned()
}

impl StoreBucket {
    async fn read(&self, key: &str, options: GetOptions) -> Result<Object, BucketError> {
        let head = options.head;
        let got = self.0.get_opts(&path(key), options).await.map_err(|e| error(key, e))?;
        let info = ObjectInfo {
            key: key.into(),
            size: got.meta.size,
            etag: bare(got.meta.e_tag.as_ref()),
            modified: got.meta.last_modified,
        };
        let metadata = got
            .attributes
            .iter()
            .filter_map(|(name, value)| match name {
                Attribute::Metadata(name) => Some((name.to_string(), value.to_string())),
                _ => None,
            })
            .collect();
        let bytes = if head {
            bytes::Bytes::new()
        } else {
            got.bytes().await.map_err(|e| error(key, e))?
        };
        Ok(Object { info, bytes, metadata })
    }
}

fn error(key: &str, e: Error) -> BucketError {
    match e {
        Error::NotFound { .. } => BucketError::NotFound { key: key.into() },
        Error::Precondition { .. } => BucketError::Changed { key: key.into() },
        e => BucketError::Io { action: "using", key: key.into(), source: e.into() },
    }
}

#[async_trait]
impl Bucket for StoreBucket {
    async fn get(&self, key: &str, etag: Option<&str>) -> Result<Object, BucketError> {
        self.read(key, GetOptions { if_match: etag.map(str::to_owned), ..Default::default() }).await
    }

    async fn get_tail(&self, key: &str, bytes: u64) -> Result<Object, BucketError> {
        let whole = self.get(key, None).await?;
        let from = whole.bytes.len().saturating_sub(usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(Object { bytes: whole.bytes.slice(from..), ..whole })
    }

    async fn get_range(
        &self,
        key: &str,
        etag: &str,
        range: std::ops::Range<u64>,
    ) -> Result<bytes::Bytes, BucketError> {
        if range.is_empty() {
            return Ok(bytes::Bytes::new()); // which an object store refuses
        }
        let options = GetOptions {
            if_match: Some(etag.to_owned()),
            range: Some(range.into()),
            ..Default::default()
        };
        Ok(self.read(key, options).await?.bytes)
    }

    async fn head(&self, key: &str) -> Result<Option<Object>, BucketError> {
        match self.read(key, GetOptions { head: true, ..Default::default() }).await {
            Ok(object) => Ok(Some(object)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    async fn create(&self, new: NewObject<'_>) -> Result<Created, BucketError> {
        let NewObject { key, body, attempt, metadata } = new;
        let mut attributes = Attributes::new();
        let mut set = |name: &str, value: String| {
            attributes.insert(Attribute::Metadata(name.to_owned().into()), value.into());
        };
        set("attempt", attempt.0.clone());
        metadata.iter().for_each(|(name, value)| set(name, value.clone()));
        let bytes = match body {
            Body::Bytes(bytes) => bytes.to_vec(),
            Body::Path(path) => std::fs::read(path).expect("a spool file"),
            Body::File(mut file) => {
                use std::io::{Read, Seek};
                let mut bytes = vec![];
                file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a spool file");
                bytes
            }
        };
        let options = PutOptions { mode: PutMode::Create, attributes, ..Default::default() };
        match self.0.put_opts(&path(key), bytes.into(), options).await {
            Ok(_) => Ok(Created::Now),
            Err(Error::AlreadyExists { .. }) => {
                let found = self.head(key).await?.expect("it exists");
                let ours = found.metadata("attempt") == Some(&attempt.0);
                Ok(if ours { Created::Now } else { Created::Before })
            }
            Err(e) => Err(error(key, e)),
        }
    }

    async fn copy(&self, from: &str, to: &str) -> Result<(), BucketError> {
        self.0.copy(&path(from), &path(to)).await.map_err(|e| error(from, e))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>, BucketError> {
        let all: Vec<_> = self.0.list(None).try_collect().await.map_err(|e| error(prefix, e))?;
        let mut found: Vec<_> = all
            .into_iter()
            .filter(|m| m.location.as_ref().starts_with(prefix))
            .map(|m| ObjectInfo {
                key: m.location.to_string(),
                size: m.size,
                etag: bare(m.e_tag.as_ref()),
                modified: m.last_modified,
            })
            .collect();
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BucketError> {
        for key in keys {
            match self.0.delete(&path(key.as_str())).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(e) => return Err(error(key, e)),
            }
        }
        Ok(())
    }
}

/// The path of a key as it is.
fn path(key: &str) -> Path {
    Path::parse(key).expect("a key")
}
