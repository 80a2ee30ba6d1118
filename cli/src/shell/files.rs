//! Files of this machine as tables of a statement.
//!
//! A statement names them as it names keys: `FROM 'x.csv'`. They are put under a key of their own in the bucket of an
//! emulator that ends with this command, and the job says that the table is there.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail};
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{ObjectName, Query, TableFactor, Visit, Visitor};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use tidemill_protocol::job::TableOptions;

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Where files are in the bucket.
const PREFIX: &str = "files/";

/// The folder of the bucket that files are put into.
#[derive(Debug)]
pub(super) struct Files {
    bucket: PathBuf,
    /// Standard input can be read once.
    input: Option<TableOptions>,
    /// What was put there, by the files with their sizes and times.
    known: HashMap<Vec<Known>, TableOptions>,
}

/// A file as it was when it was put into the bucket.
type Known = (PathBuf, u64, Option<SystemTime>);

impl Files {
    pub(super) fn new(bucket: PathBuf) -> Self {
        Self { bucket, input: None, known: HashMap::new() }
    }

    /// The tables of a statement that are files of this machine, which are put into the bucket.
    pub(super) fn tables(&mut self, sql: &str) -> anyhow::Result<BTreeMap<String, TableOptions>> {
        let mut tables = BTreeMap::new();
        for name in quoted_tables(sql) {
            if let Some(options) = self.table(&name)? {
                tables.insert(name, options);
            }
        }
        Ok(tables)
    }

    fn table(&mut self, name: &str) -> anyhow::Result<Option<TableOptions>> {
        if name == STANDARD_INPUT {
            if self.input.is_none() {
                self.input = Some(self.standard_input()?);
            }
            return Ok(self.input.clone());
        }
        let path = Path::new(name);
        if path.is_file() {
            return self.put(&[path.to_owned()], file_name(path)?).map(Some);
        }
        if path.is_dir() {
            let files = files_of(path)?;
            return self.put(&files, "").map(Some);
        }
        if !name.contains(['*', '?', '[']) {
            return Ok(None);
        }
        let found = glob::glob(name).with_context(|| format!("'{name}' is no pattern"))?;
        let mut files = found.collect::<Result<Vec<_>, _>>().context("a folder cannot be read")?;
        files.retain(|file| file.is_file() && is_visible(file));
        if files.is_empty() {
            bail!("no file is like {name}");
        }
        self.put(&files, "").map(Some)
    }

    /// Puts files into a folder of their own. The table is one of them, or all.
    fn put(&mut self, files: &[PathBuf], name: &str) -> anyhow::Result<TableOptions> {
        let known = files.iter().map(|file| {
            let metadata = std::fs::metadata(file)?;
            Ok((file.clone(), metadata.len(), metadata.modified().ok()))
        });
        let known = known.collect::<io::Result<Vec<Known>>>().context("a file has disappeared")?;
        if let Some(there) = self.known.get(&known) {
            return Ok(there.clone());
        }
        let location = format!("{PREFIX}{}/", self.known.len());
        let folder = self.bucket.join(&location);
        std::fs::create_dir_all(&folder).context("the folder of files cannot be made")?;
        for (number, file) in files.iter().enumerate() {
            let mut to = folder.join(file_name(file)?);
            if to.exists() {
                to = folder.join(format!("{number}-{}", file_name(file)?)); // of another folder
            }
            // a copy shares its blocks where the file system can; the file itself is not touched
            std::fs::copy(file, &to)
                .with_context(|| format!("reading {} failed", file.display()))?;
        }
        let location = Some(format!("{location}{name}"));
        let options = TableOptions { location, ..TableOptions::default() };
        self.known.insert(known, options.clone());
        Ok(options)
    }

    fn standard_input(&mut self) -> anyhow::Result<TableOptions> {
        let mut spool = tempfile::Builder::new().prefix("stdin").tempfile()?;
        io::copy(&mut io::stdin().lock(), &mut spool).context("reading standard input failed")?;
        spool.flush()?;
        let mut begin = [0; 4];
        let read = io::Read::read(&mut std::fs::File::open(spool.path())?, &mut begin)?;
        let extension = match &begin[..read] {
            b"PAR1" => "parquet",
            [b'{', ..] => "json",
            _ => "csv",
        };
        let named = spool.path().with_extension(extension);
        std::fs::rename(spool.path(), &named)?;
        let put = self.put(std::slice::from_ref(&named), file_name(&named)?);
        let _ = std::fs::remove_file(&named); // a temporary file that has been copied
        put
    }
}

fn file_name(path: &Path) -> anyhow::Result<&str> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.with_context(|| format!("{} has no name in UTF-8", path.display()))
}

/// The files of a folder, in the order of their names.
fn files_of(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = vec![];
    let entries = std::fs::read_dir(folder);
    for entry in entries.with_context(|| format!("reading {} failed", folder.display()))? {
        let path = entry?.path();
        if path.is_file() && is_visible(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file is data, as keys of tables are.
fn is_visible(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| !name.starts_with(['.', '_']))
}

/// The names between quotes that stand in the place of tables.
fn quoted_tables(sql: &str) -> Vec<String> {
    #[derive(Default)]
    struct Names(Vec<String>, Vec<String>);
    impl Names {
        fn add(&mut self, name: &ObjectName) {
            if let [part] = name.0.as_slice()
                && let Some(ident) = part.as_ident().filter(|ident| ident.quote_style.is_some())
                && !self.0.contains(&ident.value)
            {
                self.0.push(ident.value.clone());
            }
        }
    }
    impl Visitor for Names {
        type Break = ();

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            let own = query.with.iter().flat_map(|with| &with.cte_tables);
            self.1.extend(own.map(|table| table.alias.name.value.clone()));
            ControlFlow::Continue(())
        }

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            if let TableFactor::Table { name, args: None, .. } = factor {
                self.add(name);
            }
            ControlFlow::Continue(())
        }
    }
    let parsed = DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).build();
    let parsed = parsed.and_then(|mut parser| parser.parse_statement());
    let mut names = Names::default();
    let mut statement = parsed.ok();
    while let Some(Statement::Explain(explained)) = statement {
        statement = Some(*explained.statement);
    }
    match statement {
        Some(Statement::Statement(statement)) => drop(statement.visit(&mut names)),
        Some(Statement::CopyTo(copy)) => {
            if let datafusion::sql::parser::CopyToSource::Query(query) = copy.source {
                let _ = query.visit(&mut names);
            }
        }
        _ => {}
    }
    let Names(named, own) = names;
    named.into_iter().filter(|name| !own.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quoted_names_in_the_place_of_tables_are_files() {
        let sql = "SELECT 'x.csv', \"y\" FROM 'a.csv' JOIN \"b.parquet\" b USING (k) WHERE k IN (SELECT 1 FROM '-') AND t.c = 'z'";
        assert_eq!(quoted_tables(sql), ["a.csv", "b.parquet", "-"]);
        assert_eq!(quoted_tables("EXPLAIN SELECT 1 FROM 'c.csv'"), ["c.csv"]);
        assert_eq!(
            quoted_tables("WITH \"d\" AS (SELECT 1) SELECT * FROM \"d\""),
            Vec::<String>::new()
        );
        assert_eq!(quoted_tables("SELECT 1 FROM plain"), Vec::<String>::new());
        assert_eq!(quoted_tables("no sql"), Vec::<String>::new());
    }

    #[test]
    fn files_of_a_pattern_are_a_table_together() {
        let (from, bucket) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        for name in ["b.csv", "a.csv", "c.json", ".a.csv"] {
            std::fs::write(from.path().join(name), "n\n1\n").expect("a file");
        }
        let mut files = Files::new(bucket.path().to_owned());
        let sql = format!("SELECT * FROM '{}/*.csv'", from.path().display());
        let tables = files.tables(&sql).expect("tables");
        let location = tables.values().next().and_then(|t| t.location.clone()).expect("a place");
        let there = files_of(&bucket.path().join(&location)).expect("files");
        let names: Vec<_> = there.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["a.csv", "b.csv"]);
        let none = files.tables(&format!("SELECT * FROM '{}/*.txt'", from.path().display()));
        assert!(none.expect_err("none").to_string().contains("no file is like"));
    }
}
