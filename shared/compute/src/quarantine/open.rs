use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::DataFusionError;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectMeta, ObjectStore, Result};
use tidemill_protocol::job::Format;
use tidemill_protocol::record::RejectedPart;

use super::cleaner::Cleaner;
use super::rejects::Rejects;
use super::rules::Rules;
use crate::table::{HEADER_BYTES_MAX, Header, Unreadable};

/// Bytes that are looked at for the end of a line.
const LINE_LOOKAHEAD_BYTES: u64 = 16 * 1024;

/// A part of a file; a reader knows it as a file of its own, `<key>/<from>-<to>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePart {
    pub(crate) key: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl FilePart {
    pub(crate) fn of_location(location: &str) -> Option<Self> {
        let (key, range) = location.rsplit_once('/')?;
        let (from, to) = range.split_once('-')?;
        Some(Self { key: key.to_owned(), from: from.parse().ok()?, to: to.parse().ok()? })
    }

    pub(crate) fn location(&self) -> String {
        format!("{}/{}-{}", self.key, self.from, self.to)
    }
}

/// Opens a part of a file: its good lines.
pub(crate) async fn open(
    store: &dyn ObjectStore,
    rules: Arc<Rules>,
    rejects: &Rejects,
    table: usize,
    file: (usize, u64, bool),
    part: &FilePart,
) -> Result<BoxStream<'static, Result<Bytes>>> {
    let (number, size, gzip) = file;
    let path = Path::parse(&part.key)?;
    let start = line_start(store, &path, part.from, size).await?;
    let end = line_start(store, &path, part.to, size).await?;
    if start >= end {
        return Ok(stream::empty().boxed());
    }
    // the byte before is the end of a line: with it, quotes are counted from the start of a part
    let before = start.saturating_sub(1);
    let range = Some(GetRange::Bounded(before..end));
    let found = store.get_opts(&path, GetOptions { range, ..GetOptions::default() }).await?;
    let bytes = without_first(found.into_stream(), start - before);
    let bytes = if gzip { gunzip(bytes)? } else { bytes };
    let rejected = RejectedPart {
        table: u32::try_from(table).unwrap_or(u32::MAX),
        file: u32::try_from(number).unwrap_or(u32::MAX),
        from: part.from,
        to: part.to,
        lines: 0,
    };
    let has_header = rules.format == Format::Csv && rules.csv.header;
    let reading = rejects.read(rejected);
    let at_header = has_header && start == 0;
    let (rules, header) = match has_header && start > 0 {
        true => header_of(store, rules, &path, &part.key, size).await?,
        false => (rules, vec![]),
    };
    let cleaner = Cleaner::new(rules, reading, part.key.clone(), start, at_header, end == size);
    let header = stream::iter((!header.is_empty()).then(|| Ok(Bytes::from(header))));
    Ok(header.chain(clean(bytes, cleaner)).boxed())
}

/// The header of a file, for a reader of a later part of it, and the rules that follow from it.
async fn header_of(
    store: &dyn ObjectStore,
    rules: Arc<Rules>,
    path: &Path,
    key: &str,
    size: u64,
) -> Result<(Arc<Rules>, Vec<u8>)> {
    let range = Some(GetRange::Bounded(0..HEADER_BYTES_MAX.min(size)));
    let found = store.get_opts(path, GetOptions { range, ..GetOptions::default() }).await?;
    let bytes = found.bytes().await?;
    let Some(header) = Header::parse(&rules.csv, &bytes, false) else {
        let header = rules.stand_in_header();
        return Ok((rules, header));
    };
    let of_file = rules.of_file(&header).map_err(|problem| {
        let unreadable = Unreadable::new(key.to_owned(), Format::Csv, problem);
        Error::Generic { store: "quarantine", source: Box::new(unreadable) }
    })?;
    let mut line = bytes[..header.bytes].to_vec();
    if line.last() != Some(&b'\n') {
        line.push(b'\n');
    }
    Ok((Arc::new(of_file), line))
}

/// The first `bytes` bytes of a file, or a little more.
pub(crate) async fn start(
    store: &dyn ObjectStore,
    file: &ObjectMeta,
    gzip: bool,
    bytes: u64,
) -> Result<Vec<u8>> {
    // of a gzipped file so many bytes are enough and more
    let range = Some(GetRange::Bounded(0..bytes.min(file.size)));
    let options = GetOptions { range, ..GetOptions::default() };
    let found = store.get_opts(&file.location, options).await?.into_stream();
    let is_part = bytes < file.size;
    let mut pieces = if gzip { gunzip(found)? } else { found };
    let mut start = vec![];
    while (start.len() as u64) < bytes {
        match pieces.try_next().await {
            Ok(Some(piece)) => start.extend_from_slice(&piece),
            Ok(None) => break,
            Err(_) if gzip && is_part => break, // the rest of it was not asked for
            Err(e) => return Err(e),
        }
    }
    Ok(start)
}

/// The first line that starts at `at` or after it.
async fn line_start(store: &dyn ObjectStore, path: &Path, at: u64, size: u64) -> Result<u64> {
    if at == 0 || at >= size {
        return Ok(at.min(size));
    }
    let mut from = at - 1;
    while from < size {
        let range = Some(GetRange::Bounded(from..(from + LINE_LOOKAHEAD_BYTES).min(size)));
        let found = store.get_opts(path, GetOptions { range, ..GetOptions::default() }).await?;
        let bytes = found.bytes().await?;
        if let Some(line_end) = bytes.iter().position(|b| *b == b'\n') {
            return Ok(from + line_end as u64 + 1);
        }
        from += LINE_LOOKAHEAD_BYTES;
    }
    Ok(size)
}

fn without_first(
    bytes: BoxStream<'static, Result<Bytes>>,
    count: u64,
) -> BoxStream<'static, Result<Bytes>> {
    let mut left = usize::try_from(count).unwrap_or(0);
    let rest = bytes.map_ok(move |mut piece| {
        let skipped = left.min(piece.len());
        left -= skipped;
        piece.split_off(skipped)
    });
    rest.boxed()
}

fn gunzip(bytes: BoxStream<'static, Result<Bytes>>) -> Result<BoxStream<'static, Result<Bytes>>> {
    let failed = |e: DataFusionError| match e {
        DataFusionError::ObjectStore(e) => *e,
        e => Error::Generic { store: "gzip", source: Box::new(e) },
    };
    let bytes = bytes.map_err(DataFusionError::from).boxed();
    let plain = FileCompressionType::GZIP.convert_stream(bytes).map_err(failed)?;
    Ok(plain.map_err(failed).boxed())
}

/// The good lines of a stream of bytes; no piece is empty.
fn clean(
    bytes: BoxStream<'static, Result<Bytes>>,
    cleaner: Cleaner,
) -> BoxStream<'static, Result<Bytes>> {
    let failed = |source| Error::Generic { store: "quarantine", source };
    let cleaned =
        stream::try_unfold((bytes, Some(cleaner)), move |(mut bytes, cleaner)| async move {
            let Some(mut cleaner) = cleaner else { return Ok(None) };
            while let Some(piece) = bytes.try_next().await? {
                let good = cleaner.push(&piece).map_err(failed)?;
                if !good.is_empty() {
                    return Ok(Some((Bytes::from(good), (bytes, Some(cleaner)))));
                }
            }
            let good = cleaner.finish().map_err(failed)?;
            Ok((!good.is_empty()).then(|| (Bytes::from(good), (bytes, None))))
        });
    cleaned.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_known_by_its_location() {
        let part = FilePart { key: "tables/t/a-b.csv".into(), from: 10, to: 200 };
        assert_eq!(FilePart::of_location(&part.location()), Some(part));
        assert_eq!(FilePart::of_location("tables/t/a-b.csv"), None);
    }
}
