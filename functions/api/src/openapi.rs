//! The description of the API in OpenAPI 3.1, made of the routes and of the types that they take and give.

use std::collections::HashSet;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use tidemill_protocol::job::JobSpec;
use tidemill_protocol::pipeline::Pipeline;
use tidemill_protocol::record::Timeline;
use tidemill_protocol::runs::RunsPage;
use tidemill_protocol::status::RunStatus;

use crate::answers::{
    Meta, NewUpload, Pipelines, Results, RunReference, StartedRun, Table, TablesPage, Upload,
    UploadedParts,
};
use crate::problem::Problem;
use crate::routes::{Operation, ROUTES, Route};

/// The description as the repository has it: a test holds it to what [`document`] makes.
pub const COMMITTED: &str = include_str!("../openapi.json");

const DESCRIPTION: &str = "What runs do and have done, their results, and new runs. A run is known by the id that \
    starting it gives; it ends whether somebody asks for it or not. Errors are `application/problem+json` (RFC 9457) \
    and name the member that is wrong. Times are in UTC, sizes in bytes, dollars at the list prices of AWS; a range \
    is `[low, high]`.";

/// Schemas of what is sent, and of what is answered: a member with a default need not be sent, but is answered. What
/// differs has a name of its own where it is sent.
struct Schemas {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|s| {
                s.definitions_path = "/components/schemas".into();
                s.meta_schema = None;
            })
        };
        let sent = settings().for_deserialize().into_generator();
        let answered = settings().for_serialize().into_generator();
        Self { sent, answered }
    }

    fn answered<T: JsonSchema>(&mut self) -> Value {
        self.answered.subschema_for::<T>().to_value()
    }

    fn sent<T: JsonSchema>(&mut self) -> Value {
        let mut schema = self.sent.subschema_for::<T>().to_value();
        references(&mut schema, &mut |to| to.push_str(SENT));
        schema
    }

    /// All that were asked for, by their names; and of those that are sent as they are answered, the names.
    fn definitions(mut self) -> (Map<String, Value>, HashSet<String>) {
        let mut all = self.answered.take_definitions(true);
        let mut sent = self.sent.take_definitions(true);
        let mut same: HashSet<String> = sent
            .iter()
            .filter(|(name, s)| all.get(*name) == Some(s))
            .map(|(n, _)| n.clone())
            .collect();
        while let Some(other) = same.iter().find(|name| {
            let mut is_other = false;
            references(&mut sent[*name], &mut |to| is_other |= !same.contains(name_of(to)));
            is_other
        }) {
            let other = other.clone();
            same.remove(&other);
        }
        for (name, mut schema) in sent {
            references(&mut schema, &mut |to| to.push_str(SENT));
            all.insert(format!("{name}{SENT}"), schema);
        }
        let new_run = new_run(&mut all);
        all.insert("NewRun".into(), new_run);
        all.retain(|name, _| name.strip_suffix(SENT).is_none_or(|name| !same.contains(name)));
        (all, same)
    }
}

/// What the name of a schema ends with that is sent otherwise than answered.
const SENT: &str = "Request";

fn name_of(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or(reference)
}

/// Does something to each reference within a value.
fn references(value: &mut Value, act: &mut impl FnMut(&mut String)) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("$ref", Value::String(to)) => act(to),
                    (_, value) => references(value, act),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|value| references(value, act)),
        _ => {}
    }
}

/// What starts a run: a job, a pipeline and a file, or an earlier run; with the name of the job.
fn new_run(schemas: &mut Map<String, Value>) -> Value {
    let name = json!({
        "type": "string",
        "maxLength": 100,
        "pattern": "^[A-Za-z0-9-][A-Za-z0-9_-]*$",
        "description": "The name of the job: runs are listed by it, and results lie under it.",
    });
    let mut job = schemas.remove("JobRequest").unwrap_or_default();
    job["properties"]["job"] = name.clone();
    let text = |description: &str| json!({ "type": "string", "description": description });
    let object = |members: Value, required: &[&str]| {
        let mut members = members;
        members["job"] = name.clone();
        json!({
            "type": "object",
            "properties": members,
            "required": required,
            "additionalProperties": false,
        })
    };
    json!({
        "description": "What is to be run.",
        "oneOf": [
            job,
            object(
                json!({
                    "pipeline": text("The pipeline that is to run."),
                    "input": text("The key of the file that it is to run on."),
                }),
                &["pipeline", "input"],
            ),
            object(json!({ "retry": text("The run that is to be taken up.") }), &["retry"]),
        ],
    })
}

/// The description.
pub fn document() -> Value {
    let mut schemas = Schemas::new();
    let problem = schemas.answered::<Problem>();
    schemas.sent::<JobSpec>();
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = operation(route, &mut schemas, &problem);
    }
    let (definitions, same) = schemas.definitions();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidemill",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:4566/_api", "description": "The emulator" }],
        "security": [{ "iam": [] }, { "jwt": [] }],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "iam": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "description": "AWS Signature Version 4, of the service execute-api: what a deployment asks for that says nothing else. `tidemill api` signs.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                },
                "jwt": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of the issuer that the deployment's parameter JwtIssuer names.",
                },
            },
        },
    });
    references(&mut document, &mut |to| {
        let answered = name_of(to).strip_suffix(SENT).filter(|name| same.contains(*name));
        if answered.is_some() {
            to.truncate(to.len() - SENT.len());
        }
    });
    document
}

fn operation(route: &Route, schemas: &mut Schemas, problem: &Value) -> Value {
    let mut responses = Map::new();
    for (status, description, schema) in answers(route.operation, schemas) {
        let mut response = json!({ "description": description });
        if let Some(schema) = schema {
            response["content"] = json!({ "application/json": { "schema": schema } });
        }
        responses.insert(status.to_string(), response);
    }
    responses.insert(
        "default".into(),
        json!({
            "description": "What is wrong",
            "content": { "application/problem+json": { "schema": problem } },
        }),
    );
    let mut operation = json!({
        "operationId": name(route.operation),
        "summary": route.summary,
        "parameters": parameters(route),
        "responses": responses,
    });
    if let Some(body) = body(route.operation, schemas) {
        operation["requestBody"] = body;
    }
    operation
}

fn name(operation: Operation) -> String {
    let name = format!("{operation:?}");
    let mut characters = name.chars();
    characters.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(characters).collect()
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = route.path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = in_path
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    for (place, known) in [("query", route.query), ("header", route.headers)] {
        all.extend(known.iter().map(|(name, description)| {
            let kind = if ["limit", "wait"].contains(name) { "integer" } else { "string" };
            json!({
                "name": name,
                "in": place,
                "description": description,
                "schema": { "type": kind },
            })
        }));
    }
    all
}

/// What a request sends.
fn body(operation: Operation, schemas: &mut Schemas) -> Option<Value> {
    let json_of = |schema: Value| json!({ "application/json": { "schema": schema } });
    let content = match operation {
        Operation::Submit | Operation::Explain => json!({
            "application/json": {
                "schema": { "$ref": "#/components/schemas/NewRun" },
                "examples": {
                    "sql": { "value": { "sql": "SELECT origin, count(*) FROM flights GROUP BY origin" } },
                    "parameters": {
                        "value": {
                            "job": "busy",
                            "sql": "SELECT * FROM flights WHERE dest = $dest",
                            "params": { "dest": "ORD" },
                            "options": { "max_cost_usd": 0.05 },
                        },
                    },
                },
            },
            "application/sql": { "schema": { "type": "string" } },
        }),
        Operation::BeginUpload => json_of(schemas.sent::<NewUpload>()),
        Operation::CompleteUpload => json_of(schemas.sent::<UploadedParts>()),
        Operation::PutPipeline => json_of(schemas.sent::<Pipeline>()),
        _ => return None,
    };
    Some(json!({ "required": true, "content": content }))
}

type Answer = (u16, &'static str, Option<Value>);

/// What a request is answered, if nothing is wrong.
fn answers(operation: Operation, schemas: &mut Schemas) -> Vec<Answer> {
    let done = || json!({ "type": "object" });
    let one = |description, schema| vec![(200, description, Some(schema))];
    match operation {
        Operation::Submit | Operation::Retry | Operation::Explain => {
            let run = schemas.answered::<StartedRun>();
            vec![
                (200, "The run has ended while it was waited for", Some(run.clone())),
                (201, "The run was started, and has not ended yet", Some(run)),
            ]
        }
        Operation::ListRuns => one("Runs", schemas.answered::<RunsPage>()),
        Operation::GetRun => vec![
            (200, "The run", Some(schemas.answered::<RunStatus>())),
            (304, "Nothing is new", None),
        ],
        Operation::GetTasks => one("The tasks", schemas.answered::<Timeline>()),
        Operation::GetResults => one("The result", schemas.answered::<Results>()),
        Operation::Cancel => {
            vec![(202, "The run will end", Some(schemas.answered::<RunReference>()))]
        }
        Operation::BeginUpload => {
            vec![(201, "What to send the file by", Some(schemas.answered::<Upload>()))]
        }
        Operation::CompleteUpload => one("The file is there", done()),
        Operation::ListTables => one("Tables", schemas.answered::<TablesPage>()),
        Operation::GetTable => one("The table", schemas.answered::<Table>()),
        Operation::ListPipelines => one("Pipelines", schemas.answered::<Pipelines>()),
        // as it was put
        Operation::GetPipeline => one("The pipeline", schemas.sent::<Pipeline>()),
        Operation::PutPipeline => one("The pipeline is there", done()),
        Operation::DeletePipeline => one("The pipeline is gone", done()),
        Operation::Meta => one("Bucket and version", schemas.answered::<Meta>()),
        Operation::OpenApi => one("This description", done()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `TIDEMILL_BLESS=1` the file is written anew.
    #[test]
    fn the_description_in_the_repository_is_that_of_the_routes() {
        let made = serde_json::to_string_pretty(&document()).expect("JSON") + "\n";
        if std::env::var_os("TIDEMILL_BLESS").is_some() {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
            std::fs::write(file, &made).expect("the file can be written");
            return;
        }
        assert!(
            made == COMMITTED,
            "TIDEMILL_BLESS=1 cargo test -p tidemill-api makes openapi.json"
        );
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut found = vec![];
        references(&mut document.clone(), &mut |to| found.push(to.clone()));
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        let job = &document["components"]["schemas"]["NewRun"]["oneOf"][0]["properties"];
        assert!(job["sql"].is_object() && job["options"].is_object() && job["job"].is_object());
    }
}
