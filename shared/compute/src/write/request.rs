use datafusion::sql::parser::{CopyToSource, CopyToStatement, DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::{
    CreateTable, HiveDistributionStyle, Insert, ObjectName, Query, Statement as SqlStatement,
    TableObject,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use serde::{Deserialize, Serialize};
use tidemill_protocol::Key;
use tidemill_protocol::job::Format;

use crate::error::{Failure, refused};
use crate::statement::folded;

/// What a statement asks to be written, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WriteRequest {
    /// The table's folder as the statement says it, e.g. `tables/orders/`.
    pub(crate) folder: String,
    pub(crate) kind: WriteKind,
    /// The format, if the statement says it.
    pub(crate) format: Option<Format>,
    /// Columns that become folders `name=value/`, if the statement says them.
    pub(crate) partition_by: Vec<String>,
    /// `OPTIONS (name value)`, in lower case.
    pub(crate) options: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(crate) enum WriteKind {
    /// `COPY … TO`, or the option `into`: adds rows to a table, or makes it. Columns are matched
    /// by their names.
    Copy,
    /// `INSERT INTO`: adds rows to a table that is there. Columns are matched by their places.
    Insert {
        /// As listed, or all of the table's.
        columns: Vec<String>,
    },
    /// `INSERT OVERWRITE`: the same, in the place of all rows.
    Overwrite { columns: Vec<String> },
    /// `CREATE TABLE AS`.
    Create { or_replace: bool, if_not_exists: bool },
}

impl WriteRequest {
    /// The option `into` of a job or a pipeline.
    pub(crate) fn into_folder(folder: &str) -> Self {
        Self::new(folder.to_owned(), WriteKind::Copy)
    }

    fn new(folder: String, kind: WriteKind) -> Self {
        Self { folder, kind, format: None, partition_by: vec![], options: vec![] }
    }

    /// Whether the files that are there give way.
    pub(crate) fn replaces(&self) -> bool {
        matches!(
            self.kind,
            WriteKind::Overwrite { .. } | WriteKind::Create { or_replace: true, .. }
        )
    }
}

/// The query of a statement, and what becomes of its rows if they are not the result.
///
/// # Errors
/// A sentence, if the statement is none of those that a job may be.
pub(crate) fn split(statement: Statement) -> Result<(Box<Query>, Option<WriteRequest>), Failure> {
    match statement {
        Statement::CopyTo(copy) => copy_to(copy),
        Statement::Statement(inner) => match *inner {
            SqlStatement::Query(query) => Ok((query, None)),
            SqlStatement::Insert(insert) => insert_into(insert),
            SqlStatement::CreateTable(create) => create_table(create),
            other => refuse(&other.to_string()),
        },
        other => refuse(&other.to_string()),
    }
}

fn refuse<T>(statement: &str) -> Result<T, Failure> {
    let kind = statement.split_whitespace().next().unwrap_or("this").to_uppercase();
    refused(format!(
        "{kind} is not supported: a job is one SELECT, COPY … TO, INSERT or CREATE TABLE … AS \
         statement"
    ))
}

fn copy_to(copy: CopyToStatement) -> Result<(Box<Query>, Option<WriteRequest>), Failure> {
    let query = match copy.source {
        CopyToSource::Query(query) => query,
        CopyToSource::Relation(name) => all_of(&name)?,
    };
    let mut request = WriteRequest::new(folder_of(&copy.target), WriteKind::Copy);
    request.format = copy.stored_as.as_deref().map(format).transpose()?;
    request.partition_by = copy.partitioned_by;
    let text = |value: &datafusion::sql::sqlparser::ast::Value| {
        value.clone().into_string().unwrap_or_else(|| value.to_string())
    };
    request.options =
        copy.options.iter().map(|(name, value)| (name.to_lowercase(), text(value))).collect();
    Ok((query, Some(request)))
}

/// A folder may be named without its last slash.
fn folder_of(target: &str) -> String {
    if target.ends_with('/') { target.to_owned() } else { format!("{target}/") }
}

fn all_of(name: &ObjectName) -> Result<Box<Query>, Failure> {
    let sql = format!("SELECT * FROM {name}");
    let parsed = DFParserBuilder::new(sql.as_str()).with_dialect(&GenericDialect {}).build()?;
    let statement = { parsed }.parse_statement()?;
    match split(statement)? {
        (query, None) => Ok(query),
        _ => refused(format!("{name} is no table")),
    }
}

fn format(name: &str) -> Result<Format, Failure> {
    match name.to_uppercase().as_str() {
        "PARQUET" => Ok(Format::Parquet),
        "CSV" => Ok(Format::Csv),
        "JSON" | "NDJSON" => Ok(Format::Json),
        _ => refused(format!("STORED AS {name} is not supported: use PARQUET, CSV or JSON")),
    }
}

fn insert_into(insert: Insert) -> Result<(Box<Query>, Option<WriteRequest>), Failure> {
    let TableObject::TableName(name) = &insert.table else {
        return refused("INSERT INTO a function is not supported: name a table");
    };
    let clauses = [
        ("PARTITION", insert.partitioned.is_some()),
        ("ON CONFLICT", insert.on.is_some()),
        ("RETURNING", insert.returning.is_some()),
        ("SET", !insert.assignments.is_empty()),
        ("OR", insert.or.is_some()),
        ("REPLACE", insert.replace_into),
    ];
    if let Some((clause, _)) = clauses.iter().find(|(_, is_there)| *is_there) {
        return refused(format!("INSERT with {clause} is not supported"));
    }
    let folder = folder_of_table(name)?;
    let columns = insert.columns.iter().map(single_name).collect::<Result<_, _>>()?;
    let Some(query) = insert.source else {
        return refused(format!("INSERT INTO {name} names no rows: add VALUES or a SELECT"));
    };
    let kind = match insert.overwrite {
        true => WriteKind::Overwrite { columns },
        false => WriteKind::Insert { columns },
    };
    Ok((query, Some(WriteRequest::new(folder, kind))))
}

fn create_table(create: CreateTable) -> Result<(Box<Query>, Option<WriteRequest>), Failure> {
    let name = &create.name;
    if create.partition_by.is_some() || create.hive_distribution != HiveDistributionStyle::NONE {
        return refused(format!(
            "CREATE TABLE {name} with PARTITIONED BY is not supported: use COPY (…) TO \
             'tables/{name}/' STORED AS PARQUET PARTITIONED BY (…)"
        ));
    }
    if create.external || create.temporary {
        return refused("EXTERNAL and TEMPORARY tables are not supported: a folder is a table");
    }
    let Some(query) = create.query.filter(|_| create.columns.is_empty()) else {
        return refused(format!(
            "CREATE TABLE {name} needs AS and a query; the columns of a table without rows are \
             declared in tables/{name}/_schema.json"
        ));
    };
    let kind =
        WriteKind::Create { or_replace: create.or_replace, if_not_exists: create.if_not_exists };
    Ok((query, Some(WriteRequest::new(folder_of_table(name)?, kind))))
}

/// The folder of a table that is named as in `FROM`.
fn folder_of_table(name: &ObjectName) -> Result<String, Failure> {
    let table = single_name(name)?;
    if table.starts_with(Key::TABLES) {
        return Ok(folder_of(&table));
    }
    Ok(format!("{}{table}/", Key::TABLES))
}

/// A name of one part: in lower case, unless it is in quotes.
fn single_name(name: &ObjectName) -> Result<String, Failure> {
    match name.0.as_slice() {
        [part] => match part.as_ident() {
            Some(ident) => Ok(folded(ident)),
            None => refused(format!("{name} is no name")),
        },
        _ => refused(format!(
            "{name} is not found: a table is named by its folder under tables/, without a schema"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(sql: &str) -> Result<WriteRequest, String> {
        let parser = DFParserBuilder::new(sql).with_dialect(&GenericDialect {}).build();
        let statement = parser.expect(sql).parse_statement().expect(sql);
        split(statement).map(|(_, request)| request.expect("a request")).map_err(|e| e.to_string())
    }

    #[test]
    fn each_kind_of_statement_names_its_folder() {
        let kinds = [
            ("COPY t TO 'tables/x/'", WriteKind::Copy),
            ("COPY (SELECT 1) TO 'tables/x' STORED AS CSV", WriteKind::Copy),
            ("INSERT INTO x VALUES (1)", WriteKind::Insert { columns: vec![] }),
            (
                "INSERT INTO X (A, \"B\") SELECT 1, 2",
                WriteKind::Insert { columns: vec!["a".into(), "B".into()] },
            ),
            ("INSERT OVERWRITE x SELECT 1", WriteKind::Overwrite { columns: vec![] }),
            (
                "CREATE TABLE x AS SELECT 1",
                WriteKind::Create { or_replace: false, if_not_exists: false },
            ),
            (
                "CREATE OR REPLACE TABLE x AS SELECT 1",
                WriteKind::Create { or_replace: true, if_not_exists: false },
            ),
            (
                "CREATE TABLE IF NOT EXISTS x AS SELECT 1",
                WriteKind::Create { or_replace: false, if_not_exists: true },
            ),
        ];
        for (sql, kind) in kinds {
            let request = request(sql).expect(sql);
            assert_eq!((request.folder.as_str(), request.kind), ("tables/x/", kind), "{sql}");
        }
    }

    #[test]
    fn format_partitions_and_options_are_understood() {
        let sql = "COPY t TO 'tables/x/' STORED AS CSV PARTITIONED BY (a, b) \
                   OPTIONS ('format.has_header' 'false')";
        let request = request(sql).expect(sql);
        assert_eq!(request.format, Some(Format::Csv));
        assert_eq!(request.partition_by, ["a", "b"]);
        assert_eq!(request.options, [("format.has_header".into(), "false".into())]);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        for (sql, word) in [
            ("COPY t TO 'tables/x/' STORED AS AVRO", "AVRO"),
            ("CREATE TABLE x (a INT)", "_schema.json"),
            ("INSERT INTO s.x SELECT 1", "s.x"),
            ("DELETE FROM x", "DELETE"),
            ("UPDATE x SET a = 1", "UPDATE"),
            ("DROP TABLE x", "DROP"),
        ] {
            let why = request(sql).expect_err(sql);
            assert!(why.contains(word), "{sql}: {why}");
        }
    }
}
