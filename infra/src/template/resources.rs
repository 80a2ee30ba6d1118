//! The resources of a template.

use std::collections::BTreeMap;
use std::time::Duration;

use glob::Pattern;
use serde_json::{Map, Value, json};

use super::evaluate::{Evaluator, invalid};
use super::yaml;
use super::{
    BucketSpec, FunctionSpec, MappingSpec, NotificationSpec, QueueSpec, RouteSpec, Setting,
    Template, TemplateError,
};
use crate::iam::Statement;
use crate::sqs::Attributes;

/// Types that describe nothing which runs on this machine.
const TYPES_WITHOUT_EFFECT: [&str; 15] = [
    "AWS::SQS::QueuePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::Serverless::LayerVersion",
    "AWS::Logs::LogGroup",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SNS::Subscription",
    "AWS::Scheduler::Schedule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::Lambda::Permission",
    "AWS::Serverless::HttpApi",
    "AWS::Events::Rule",
];

const BUCKET_WITHOUT_EFFECT: [&str; 7] = [
    "CorsConfiguration",
    "PublicAccessBlockConfiguration",
    "BucketEncryption",
    "LifecycleConfiguration",
    "OwnershipControls",
    "Tags",
    "VersioningConfiguration",
];

const QUEUE_WITHOUT_EFFECT: [&str; 3] = ["SqsManagedSseEnabled", "KmsMasterKeyId", "Tags"];

const FUNCTION_WITHOUT_EFFECT: [&str; 12] = [
    "Layers",
    "Runtime",
    "Architectures",
    "Handler",
    "CodeUri",
    "Description",
    "Role",
    "EphemeralStorage",
    "RecursiveLoop",
    "LoggingConfig",
    "Tracing",
    "Tags",
];

/// The variable that names a program which runs in the place of a managed runtime (AWS Lambda, "Modifying
/// the runtime environment").
const EXEC_WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// Reads a template for this machine.
///
/// # Errors
/// What is not understood, by name.
pub(crate) fn read(text: &str, setting: &Setting) -> Result<Template, TemplateError> {
    let root = yaml::parse(text)?;
    for section in root.as_object().into_iter().flatten().map(|(name, _)| name) {
        let known = [
            "AWSTemplateFormatVersion",
            "Transform",
            "Description",
            "Parameters",
            "Conditions",
            "Globals",
            "Resources",
            "Outputs",
            "Metadata",
        ];
        if !known.contains(&section.as_str()) {
            return Err(invalid(section, "this section is not supported"));
        }
    }
    let evaluator = Evaluator {
        setting,
        parameters: &root["Parameters"],
        conditions: &root["Conditions"],
        resources: &root["Resources"],
    };
    let (globals, template) = (&root["Globals"], Template::default());
    let mut reader = Reader { evaluator, globals, template, integrations: BTreeMap::new() };
    for (id, resource) in root["Resources"].as_object().into_iter().flatten() {
        reader.resource(id, resource)?;
    }
    reader.integrate()?;
    reader.check()?;
    Ok(reader.template)
}

pub(super) struct Reader<'a> {
    pub(super) evaluator: Evaluator<'a>,
    globals: &'a Value,
    pub(super) template: Template,
    /// The functions that requests are handed to.
    pub(super) integrations: BTreeMap<String, String>,
}

impl Reader<'_> {
    fn resource(&mut self, id: &str, resource: &Value) -> Result<(), TemplateError> {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let none = Map::new();
        let properties = resource["Properties"].as_object().unwrap_or(&none);
        match kind {
            "AWS::S3::Bucket" => self.bucket(id, properties),
            "AWS::SQS::Queue" => self.queue(id, properties),
            "AWS::Serverless::Function" => {
                let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str();
                self.function(id, binary, properties)
            }
            _ if kind.starts_with("AWS::ApiGatewayV2::") => self.http_api(id, kind, properties),
            _ if TYPES_WITHOUT_EFFECT.contains(&kind) => {
                self.template.without_effect.insert(kind.to_owned());
                Ok(())
            }
            _ => Err(TemplateError::UnknownType { resource: id.to_owned(), kind: kind.to_owned() }),
        }
    }

    /// Sorts out a property: `true` if it is to be emulated.
    pub(super) fn is_emulated(
        &mut self,
        id: &str,
        property: &str,
        emulated: &[&str],
        without_effect: &[&str],
    ) -> Result<bool, TemplateError> {
        if emulated.contains(&property) {
            return Ok(true);
        }
        if without_effect.contains(&property) {
            self.template.without_effect.insert(property.to_owned());
            return Ok(false);
        }
        let (resource, property) = (id.to_owned(), property.to_owned());
        Err(TemplateError::UnknownProperty { resource, property })
    }

    fn bucket(&mut self, id: &str, properties: &Map<String, Value>) -> Result<(), TemplateError> {
        let mut spec = BucketSpec { name: id.to_lowercase(), notifications: vec![] };
        for (property, value) in properties {
            let emulated = ["BucketName", "NotificationConfiguration"];
            if !self.is_emulated(id, property, &emulated, &BUCKET_WITHOUT_EFFECT)? {
                continue;
            }
            let at = format!("{id}.{property}");
            if property == "BucketName" {
                spec.name = self.evaluator.text(&at, value)?;
            } else {
                spec.notifications = self.notifications(&at, value)?;
            }
        }
        self.template.buckets.push(spec);
        Ok(())
    }

    fn notifications(
        &self,
        at: &str,
        value: &Value,
    ) -> Result<Vec<NotificationSpec>, TemplateError> {
        // nobody listens to a topic on this machine
        only(at, value, &["QueueConfigurations", "TopicConfigurations"])?;
        let configurations = value["QueueConfigurations"].as_array().into_iter().flatten();
        configurations.map(|c| self.notification(at, c)).collect()
    }

    fn notification(&self, at: &str, value: &Value) -> Result<NotificationSpec, TemplateError> {
        only(at, value, &["Event", "Queue", "Filter"])?;
        let mut spec = NotificationSpec {
            event: self.evaluator.text(at, &value["Event"])?,
            prefix: String::new(),
            suffix: String::new(),
            queue: queue_of_arn(&self.evaluator.text(at, &value["Queue"])?),
        };
        for rule in value["Filter"]["S3Key"]["Rules"].as_array().into_iter().flatten() {
            let text = self.evaluator.text(at, &rule["Value"])?;
            match rule["Name"].as_str() {
                Some("prefix") => spec.prefix = text,
                Some("suffix") => spec.suffix = text,
                _ => return Err(invalid(at, "a filter rule is neither prefix nor suffix")),
            }
        }
        Ok(spec)
    }

    fn queue(&mut self, id: &str, properties: &Map<String, Value>) -> Result<(), TemplateError> {
        let mut attributes = Attributes::default();
        let mut redrive = None;
        for (property, value) in properties {
            let emulated = [
                "VisibilityTimeout",
                "DelaySeconds",
                "ReceiveMessageWaitTimeSeconds",
                "MessageRetentionPeriod",
                "MaximumMessageSize",
                "RedrivePolicy",
            ];
            if !self.is_emulated(id, property, &emulated, &QUEUE_WITHOUT_EFFECT)? {
                continue;
            }
            let at = format!("{id}.{property}");
            if property == "RedrivePolicy" {
                redrive = Some(self.redrive(&at, value)?);
                continue;
            }
            let number = self.number(&at, value)?;
            let duration = Duration::from_secs(number);
            match property.as_str() {
                "VisibilityTimeout" => attributes.visibility = duration,
                "DelaySeconds" => attributes.delay = duration,
                "ReceiveMessageWaitTimeSeconds" => attributes.wait = duration,
                "MessageRetentionPeriod" => attributes.retention = duration,
                _ => attributes.max_message = usize::try_from(number).unwrap_or(usize::MAX),
            }
        }
        self.template.queues.push(QueueSpec { name: id.to_owned(), attributes, redrive });
        Ok(())
    }

    fn redrive(&self, at: &str, value: &Value) -> Result<(String, u32), TemplateError> {
        only(at, value, &["deadLetterTargetArn", "maxReceiveCount"])?;
        let arn = self.evaluator.text(at, &value["deadLetterTargetArn"])?;
        let count = self.number(at, &value["maxReceiveCount"])?;
        Ok((queue_of_arn(&arn), u32::try_from(count).unwrap_or(u32::MAX)))
    }

    fn number(&self, at: &str, value: &Value) -> Result<u64, TemplateError> {
        let text = self.evaluator.text(at, value)?;
        text.parse().map_err(|_| invalid(at, format!("'{text}' is no number")))
    }

    fn function(
        &mut self,
        id: &str,
        binary: Option<&str>,
        properties: &Map<String, Value>,
    ) -> Result<(), TemplateError> {
        let mut all = self.globals["Function"].as_object().cloned().unwrap_or_default();
        let global_environment = all.remove("Environment").unwrap_or(Value::Null);
        all.extend(properties.clone());
        let mut environment = self.environment(id, &global_environment)?;
        let mut spec = FunctionSpec {
            id: id.to_owned(),
            binary: binary.unwrap_or(&id.to_lowercase()).to_owned(),
            memory: 128,
            timeout: Duration::from_secs(3),
            environment: BTreeMap::new(),
            is_wrapper: false,
            policies: vec![],
        };
        for (property, value) in &all {
            let emulated = ["Timeout", "MemorySize", "Environment", "Events", "Policies"];
            if !self.is_emulated(id, property, &emulated, &FUNCTION_WITHOUT_EFFECT)? {
                continue;
            }
            let at = format!("{id}.{property}");
            match property.as_str() {
                "Timeout" => spec.timeout = Duration::from_secs(self.number(&at, value)?),
                "MemorySize" => {
                    spec.memory = u32::try_from(self.number(&at, value)?).unwrap_or(u32::MAX);
                }
                "Environment" => environment.extend(self.environment(id, value)?),
                "Policies" => spec.policies = self.policies(&at, value)?,
                _ => self.events(id, value)?,
            }
        }
        if let Some(wrapper) = environment.get(EXEC_WRAPPER) {
            spec.binary = wrapper.rsplit('/').next().unwrap_or_default().to_owned();
            spec.is_wrapper = true;
        }
        spec.environment = environment;
        self.template.functions.push(spec);
        Ok(())
    }

    fn environment(
        &self,
        id: &str,
        value: &Value,
    ) -> Result<BTreeMap<String, String>, TemplateError> {
        let at = format!("{id}.Environment");
        let variables = value["Variables"].as_object().into_iter().flatten();
        variables.map(|(k, v)| Ok((k.clone(), self.evaluator.text(&at, v)?))).collect()
    }

    /// The statements of a function's policies.
    fn policies(&self, at: &str, value: &Value) -> Result<Vec<Statement>, TemplateError> {
        let mut statements = vec![];
        for policy in value.as_array().into_iter().flatten() {
            only(at, policy, &["Version", "Statement"])?;
            let Some(all) = policy["Statement"].as_array() else {
                return Err(invalid(at, format!("{policy} is no policy with statements")));
            };
            for statement in all {
                only(at, statement, &["Sid", "Effect", "Action", "Resource"])?;
                let patterns = |name: &str| self.patterns(at, &statement[name]);
                statements.push(Statement {
                    allows: self.evaluator.text(at, &statement["Effect"])? == "Allow",
                    actions: patterns("Action")?,
                    resources: patterns("Resource")?,
                });
            }
        }
        Ok(statements)
    }

    /// One text or several, in which `*` stands for any.
    fn patterns(&self, at: &str, value: &Value) -> Result<Vec<Pattern>, TemplateError> {
        let texts = value.as_array().map_or(std::slice::from_ref(value), |v| v);
        let pattern = |value| {
            let text = self.evaluator.text(at, value)?;
            Pattern::new(&text).map_err(|e| invalid(at, format!("{text}: {e}")))
        };
        texts.iter().map(pattern).collect()
    }

    fn events(&mut self, function: &str, events: &Value) -> Result<(), TemplateError> {
        for (name, event) in events.as_object().into_iter().flatten() {
            let at = format!("{function}.Events.{name}");
            let properties = &event["Properties"];
            match event["Type"].as_str() {
                Some("SQS") => {
                    let mapping = self.mapping(&at, function, properties)?;
                    self.template.mappings.push(mapping);
                }
                Some("HttpApi") => {
                    only(&at, properties, &["ApiId", "Path", "Method", "Auth"])?;
                    let method = self.evaluator.text(&at, &properties["Method"])?.to_uppercase();
                    let path = self.evaluator.text(&at, &properties["Path"])?;
                    let key = format!("{method} {path}");
                    let function = function.to_owned();
                    self.template.http_api.routes.push(RouteSpec { function, key });
                }
                Some("Schedule" | "ScheduleV2") => {
                    self.template.without_effect.insert("Schedule".into());
                }
                other => {
                    return Err(invalid(&at, format!("event type {other:?} is not supported")));
                }
            }
        }
        Ok(())
    }

    fn mapping(
        &self,
        at: &str,
        function: &str,
        value: &Value,
    ) -> Result<MappingSpec, TemplateError> {
        let value = &self.evaluator.value(at, value)?;
        only(
            at,
            value,
            &[
                "Queue",
                "BatchSize",
                "MaximumBatchingWindowInSeconds",
                "FunctionResponseTypes",
                "ScalingConfig",
                "Enabled",
            ],
        )?;
        only(at, &value["ScalingConfig"], &["MaximumConcurrency"])?;
        let or = |name: &str, default: u64| match value.get(name) {
            Some(v) => self.number(at, v),
            None => Ok(default),
        };
        let concurrency = match value["ScalingConfig"].get("MaximumConcurrency") {
            Some(v) => Some(self.number(at, v)?),
            None => None,
        };
        if concurrency.is_some_and(|c| !(2..=1000).contains(&c)) {
            return Err(invalid(at, "MaximumConcurrency must be from 2 to 1000"));
        }
        let types = value["FunctionResponseTypes"].as_array().into_iter().flatten();
        let mut partial = false;
        for kind in types {
            if kind != &json!("ReportBatchItemFailures") {
                return Err(invalid(at, format!("response type {kind} is not supported")));
            }
            partial = true;
        }
        Ok(MappingSpec {
            function: function.to_owned(),
            queue: queue_of_arn(&self.evaluator.text(at, &value["Queue"])?),
            batch: usize::try_from(or("BatchSize", 10)?).unwrap_or(10),
            window: Duration::from_secs(or("MaximumBatchingWindowInSeconds", 0)?),
            concurrency: concurrency.and_then(|c| usize::try_from(c).ok()),
            partial,
        })
    }

    /// What only the whole template shows.
    fn check(&self) -> Result<(), TemplateError> {
        let Template { queues, functions, mappings, buckets, .. } = &self.template;
        let queue = |at: &str, name: &str| {
            let found = queues.iter().find(|q| q.name == name);
            found.ok_or_else(|| invalid(at, format!("there is no queue {name}")))
        };
        for spec in queues {
            if let Some((target, _)) = &spec.redrive {
                queue(&spec.name, target)?;
            }
        }
        for bucket in buckets {
            bucket
                .notifications
                .iter()
                .try_for_each(|n| queue(&bucket.name, &n.queue).map(drop))?;
        }
        for mapping in mappings {
            let visibility = queue(&mapping.function, &mapping.queue)?.attributes.visibility;
            let function = functions.iter().find(|f| f.id == mapping.function);
            if function.is_some_and(|f| f.timeout > visibility) {
                return Err(invalid(
                    &mapping.queue,
                    format!("VisibilityTimeout is below the time-out of {}", mapping.function),
                ));
            }
        }
        Ok(())
    }
}

/// Refuses members that are not understood.
pub(super) fn only(at: &str, value: &Value, known: &[&str]) -> Result<(), TemplateError> {
    let unknown =
        value.as_object().into_iter().flatten().find(|(name, _)| !known.contains(&name.as_str()));
    match unknown {
        None => Ok(()),
        Some((name, _)) => {
            Err(TemplateError::UnknownProperty { resource: at.to_owned(), property: name.clone() })
        }
    }
}

fn queue_of_arn(arn: &str) -> String {
    arn.rsplit(':').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../template.yaml");

    fn setting() -> Setting {
        Setting {
            parameters: [("BucketName".to_owned(), "tidemill".to_owned())].into(),
            account: "000000000000".into(),
            region: "us-east-1".into(),
            endpoint: "http://127.0.0.1:4566".into(),
        }
    }

    #[test]
    fn our_own_template_is_understood() {
        let template = read(TEMPLATE, &setting()).expect("a template");
        assert_eq!(template.buckets[0].name, "tidemill");
        let names: Vec<_> = template.functions.iter().map(|f| f.binary.as_str()).collect();
        let expected =
            ["api", "python", "worker", "planner", "python-sql", "python", "watcher", "worker"];
        assert_eq!(names, expected);
        let worker = &template.functions[7];
        assert_eq!(worker.environment["TIDEMILL_BUCKET"], "tidemill");
        let url = "http://127.0.0.1:4566/000000000000/TaskQueue";
        assert_eq!(worker.environment["TIDEMILL_TASK_QUEUE_URL"], url);
        assert!(template.mappings.iter().all(|m| m.partial));
        let routes = &template.http_api.routes;
        let route = routes.iter().find(|route| route.key == "GET /runs/{run}").expect("a route");
        assert_eq!((routes.len(), route.function.as_str()), (18, "Api"));
        assert_eq!(template.http_api.cors, None);
    }

    #[test]
    fn an_unknown_property_is_an_error_that_names_it() {
        for (from, to, name) in [
            (
                "Effect: Allow\n              Action: s3:ListBucket",
                "Effect: Allow\n              NotAction: s3:ListBucket",
                "NotAction",
            ),
            ("MaximumConcurrency: 20", "MaximumSpeed: 20", "MaximumSpeed"),
            (
                "      BatchSize: 1\n",
                "      BatchSize: 1\n            BatchSpeed: 9\n",
                "BatchSpeed",
            ),
            ("VisibilityTimeout: 900", "VisibleTimeout: 5400", "VisibleTimeout"),
            ("Type: AWS::SQS::QueuePolicy", "Type: AWS::SQS::Politics", "AWS::SQS::Politics"),
            (
                "Type: AWS::ApiGatewayV2::Stage",
                "Type: AWS::ApiGatewayV2::Scene",
                "ApiGatewayV2::Scene",
            ),
            ("ProtocolType: HTTP", "ProtocolType: WEBSOCKET", "WEBSOCKET"),
            ("PayloadFormatVersion: \"2.0\"", "PayloadFormatVersion: \"1.0\"", "1.0"),
            ("[HasJwtIssuer, JWT, AWS_IAM]", "[HasJwtIssuer, AWS_IAM, JWT]", "JWT"),
            ("integrations/${HttpApiIntegration}", "integrations/nothing", "nothing"),
        ] {
            let text = TEMPLATE.replacen(from, to, 1);
            assert_ne!(text, TEMPLATE);
            match read(&text, &setting()) {
                Err(e) => assert!(e.to_string().contains(name), "{e}"),
                Ok(_) => panic!("{name} was accepted"),
            }
        }
    }

    /// Lines of our own template are cut short, doubled or put somewhere else.
    #[test]
    fn a_damaged_template_is_an_error_and_never_a_panic() {
        let lines: Vec<&str> = TEMPLATE.lines().collect();
        let mut state: u64 = 7;
        let mut below = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(state >> 33).unwrap_or(0) % n
        };
        for _ in 0..1_000 {
            let mut damaged: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
            for _ in 0..3 {
                let (at, other) = (below(damaged.len()), below(damaged.len()));
                let cut = below(damaged[at].len() + 1);
                match below(4) {
                    0 if damaged[at].is_char_boundary(cut) => damaged[at].truncate(cut),
                    1 => damaged.swap(at, other),
                    2 => damaged.insert(other, damaged[at].clone()),
                    _ => drop(damaged.remove(at)),
                }
            }
            let _ = read(&damaged.join("\n"), &setting());
        }
    }

    #[test]
    fn a_visibility_below_the_time_out_is_refused() {
        let text = TEMPLATE.replacen("VisibilityTimeout: 900", "VisibilityTimeout: 5", 1);
        assert!(read(&text, &setting()).expect_err("refused").to_string().contains("TaskQueue"));
    }
}
