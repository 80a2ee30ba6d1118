use futures::stream::{self, StreamExt, TryStreamExt};
use tidemill_protocol::bucket::{Bucket, BucketError, ObjectInfo, find_json};
use tidemill_protocol::job::TableOptions;
use tidemill_protocol::{Key, is_hidden};

use crate::answers::{Table, TableFile, TableSummary, TablesPage};
use crate::api::Api;
use crate::problem::Problem;
use crate::request::{Request, Response};

/// Tables of a page: each is a LIST.
const TABLES_MAX: u64 = 100;

/// Keys of a LIST.
const KEYS: usize = 1000;

const PARALLEL_LISTS: usize = 16;
const FILES: u64 = 100;
const FILES_MAX: u64 = 1000;

pub(crate) async fn list(api: &Api, request: &Request) -> Result<Response, Problem> {
    let most = i32::try_from(request.limit(TABLES_MAX, TABLES_MAX)?).unwrap_or(i32::MAX);
    let (folders, next) = api.bucket.folders(Key::TABLES, request.query("cursor"), most).await?;
    let folders = folders.into_iter().filter(|folder| !is_hidden(folder.trim_end_matches('/')));
    let tables = stream::iter(folders).map(|folder| summary(api, folder)).buffered(PARALLEL_LISTS);
    Ok(Response::json(200, &TablesPage { tables: tables.try_collect().await?, next }))
}

async fn summary(api: &Api, folder: String) -> Result<TableSummary, BucketError> {
    let objects = api.bucket.list_page(&folder, None, KEYS).await?;
    let more = objects.len() == KEYS;
    let files: Vec<_> = objects.iter().filter(|o| !is_hidden(&o.key)).collect();
    let table = folder.trim_start_matches(Key::TABLES).trim_end_matches('/').to_owned();
    let bytes = files.iter().map(|o| o.size).sum();
    Ok(TableSummary { table, files: files.len() as u64, bytes, more })
}

pub(crate) async fn get(api: &Api, request: &Request) -> Result<Response, Problem> {
    let table = request.parameter("table").to_owned();
    let location = format!("{}{table}/", Key::TABLES);
    if !tidemill_protocol::is_table_folder(&location) {
        return Err(Problem::of_parameter("table", format!("'{table}' is no name of a table")));
    }
    let limit = request.limit(FILES, FILES_MAX)?;
    let after = request.query("cursor").map(|cursor| format!("{location}{cursor}"));
    let objects = api.bucket.list_page(&location, after.as_deref(), limit).await?;
    if objects.is_empty() && after.is_none() {
        let why = format!("there is no table {table}: no file is under {location}");
        return Err(Problem::new(404, why));
    }
    let next = objects.last().filter(|_| objects.len() >= limit);
    let next = next.and_then(|last| last.key.strip_prefix(&location)).map(str::to_owned);
    let declared = format!("{location}_schema.json");
    let declared: Option<TableOptions> = find_json(&api.bucket, &declared).await?;
    let files = objects.into_iter().filter(|o| !is_hidden(&o.key)).map(file).collect();
    let columns = declared.and_then(|options| options.columns);
    Ok(Response::json(200, &Table { table, location, columns, files, next }))
}

fn file(object: ObjectInfo) -> TableFile {
    TableFile { key: object.key, bytes: object.size, modified: object.modified }
}
