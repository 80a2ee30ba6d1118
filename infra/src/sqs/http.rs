//! The JSON protocol of SQS.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::Queues;
use super::attributes::Attributes;
use super::input::{
    Answer, Fault, MAX_BYTES, attributes, fault, invalid, new_message, seconds, strings,
};
use super::message::{MessageAttribute, NewMessage, Received, TRACE_HEADER};
use super::queue::Queue;
use crate::iam::{Caller, sqs_access};

const TARGET: &str = "x-amz-target";
const SERVICE: &str = "AmazonSQS.";

/// Longest wait of a receive, in seconds.
const MAX_WAIT_SECONDS: u64 = 20;
/// Longest visibility time-out, in seconds.
const MAX_VISIBILITY_SECONDS: u64 = 12 * 3600;
/// Most messages of a batch.
const MAX_BATCH_MESSAGES: usize = 10;

/// Whether a request is for SQS.
pub(crate) fn is_request(headers: &HeaderMap) -> bool {
    headers.get(TARGET).is_some_and(|t| t.as_bytes().starts_with(SERVICE.as_bytes()))
}

/// The SQS service.
#[derive(Debug, Clone)]
pub(crate) struct Sqs {
    pub(crate) queues: Arc<Queues>,
    /// E.g. `http://127.0.0.1:4566`.
    pub(crate) endpoint: String,
    pub(crate) account: String,
    pub(crate) region: String,
}

/// The name of the queue that a request is about.
fn queue_name(input: &Value) -> &str {
    input["QueueUrl"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default()
}

impl Sqs {
    pub(crate) async fn handle(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        caller: &Caller,
    ) -> Response<s3s::Body> {
        let target = headers.get(TARGET).and_then(|t| t.to_str().ok()).unwrap_or_default();
        let action = target.strip_prefix(SERVICE).unwrap_or_default();
        let input: Value = match serde_json::from_slice(body) {
            Ok(input) => input,
            Err(_) if body.is_empty() => json!({}),
            Err(e) => return answer(fault("SerializationException", e.to_string())),
        };
        if !caller.is_user()
            && let Err(why) = caller.check(&sqs_access(action, self.arn(queue_name(&input))))
        {
            return answer(fault("AccessDenied", why));
        }
        answer(self.act(action, &input).await)
    }

    async fn act(&self, action: &str, input: &Value) -> Answer {
        match action {
            "CreateQueue" => self.create_queue(input),
            "GetQueueUrl" => self.get_queue_url(input),
            "ListQueues" => Ok(self.list_queues(input)),
            "DeleteQueue" => self.delete_queue(input),
            "GetQueueAttributes" => self.get_attributes(input),
            "SetQueueAttributes" => self.set_attributes(input),
            "PurgeQueue" => self.queue(input).map(|q| {
                q.purge();
                json!({})
            }),
            "SendMessage" => self.send(input),
            "SendMessageBatch" => self.send_batch(input),
            "ReceiveMessage" => self.receive(input).await,
            "DeleteMessage" => delete(&*self.queue(input)?, input),
            "DeleteMessageBatch" => self.batch(input, delete),
            "ChangeMessageVisibility" => change_visibility(&*self.queue(input)?, input),
            "ChangeMessageVisibilityBatch" => self.batch(input, change_visibility),
            "ListDeadLetterSourceQueues" => self.dead_letter_sources(input),
            "ListQueueTags" => Ok(json!({ "Tags": {} })),
            _ => fault("UnsupportedOperation", format!("{action} is not supported")),
        }
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.endpoint, self.account)
    }

    fn arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", self.region, self.account)
    }

    fn queue(&self, input: &Value) -> Result<Arc<Queue>, Fault> {
        let Some(url) = input["QueueUrl"].as_str() else {
            return fault("MissingParameter", "The request must contain the parameter QueueUrl.");
        };
        self.named(url.rsplit('/').next().unwrap_or_default())
    }

    fn named(&self, name: &str) -> Result<Arc<Queue>, Fault> {
        self.queues.get(name).ok_or_else(|| Fault {
            code: "QueueDoesNotExist",
            query: Some("AWS.SimpleQueueService.NonExistentQueue"),
            message: "The specified queue does not exist.".into(),
        })
    }

    fn create_queue(&self, input: &Value) -> Answer {
        let name = input["QueueName"].as_str().unwrap_or_default();
        let ok = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 80 || !name.chars().all(ok) {
            return invalid(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
            );
        }
        let stated = &input["Attributes"];
        let attributes = attributes(Attributes::default(), stated)?;
        if let Some(found) = self.queues.get(name) {
            if stated.as_object().is_some_and(|s| !s.is_empty()) && found.attributes() != attributes
            {
                return fault(
                    "QueueNameExists",
                    "A queue already exists with the same name and a different value for an attribute",
                );
            }
            return Ok(json!({ "QueueUrl": self.url(name) }));
        }
        self.check_redrive(stated)?;
        let queue = self.queues.create(name, attributes);
        self.redrive(&queue, stated)?;
        Ok(json!({ "QueueUrl": self.url(name) }))
    }

    fn check_redrive(&self, stated: &Value) -> Result<Option<(String, u32)>, Fault> {
        let Some(policy) = stated["RedrivePolicy"].as_str() else { return Ok(None) };
        let policy: Value = match serde_json::from_str(policy) {
            Ok(policy) => policy,
            Err(_) => return invalid("Value for parameter RedrivePolicy is invalid."),
        };
        let count = &policy["maxReceiveCount"];
        let count = count.as_u64().or_else(|| count.as_str()?.parse().ok());
        let count = count.filter(|c| (1..=1000).contains(c)).and_then(|c| u32::try_from(c).ok());
        let target = policy["deadLetterTargetArn"].as_str().and_then(|a| a.rsplit(':').next());
        match (count, target) {
            (Some(count), Some(target)) if self.queues.get(target).is_some() => {
                Ok(Some((target.to_owned(), count)))
            }
            _ => invalid("Value for parameter RedrivePolicy is invalid."),
        }
    }

    fn redrive(&self, queue: &Queue, stated: &Value) -> Result<(), Fault> {
        if stated["RedrivePolicy"].as_str() == Some("") {
            queue.set_redrive(None);
        } else if let Some((target, max)) = self.check_redrive(stated)? {
            self.queues.set_redrive(queue, &target, max);
        }
        Ok(())
    }

    fn get_queue_url(&self, input: &Value) -> Answer {
        let name = input["QueueName"].as_str().unwrap_or_default();
        self.named(name)?;
        Ok(json!({ "QueueUrl": self.url(name) }))
    }

    fn list_queues(&self, input: &Value) -> Value {
        let prefix = input["QueueNamePrefix"].as_str().unwrap_or_default();
        let after = input["NextToken"].as_str().unwrap_or_default();
        let max = input["MaxResults"].as_u64().map_or(1000, |n| usize::try_from(n).unwrap_or(1000));
        let names = self.queues.names().into_iter();
        let mut names = names.filter(|n| n.starts_with(prefix) && n.as_str() > after);
        let page: Vec<_> = names.by_ref().take(max).collect();
        let next = names.next().and(page.last().cloned());
        let urls: Vec<_> = page.iter().map(|n| self.url(n)).collect();
        let mut out = json!({ "QueueUrls": urls });
        if let (Some(next), true) = (next, input["MaxResults"].is_u64()) {
            out["NextToken"] = json!(next);
        }
        out
    }

    fn delete_queue(&self, input: &Value) -> Answer {
        let queue = self.queue(input)?;
        self.queues.delete(&queue.name);
        Ok(json!({}))
    }

    fn dead_letter_sources(&self, input: &Value) -> Answer {
        let target = self.queue(input)?;
        let sources = self.queues.names().into_iter().filter(|name| {
            let redrive = self.queues.get(name).and_then(|q| q.redrive());
            redrive.is_some_and(|(to, _)| to == target.name)
        });
        let urls: Vec<_> = sources.map(|n| self.url(&n)).collect();
        Ok(json!({ "queueUrls": urls }))
    }

    fn get_attributes(&self, input: &Value) -> Answer {
        let queue = self.queue(input)?;
        let asked: Vec<_> = strings(&input["AttributeNames"]);
        let a = queue.attributes();
        let (visible, in_flight, delayed) = queue.counts();
        let mut all = vec![
            ("ApproximateNumberOfMessages", visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", delayed.to_string()),
            ("VisibilityTimeout", a.visibility.as_secs().to_string()),
            ("DelaySeconds", a.delay.as_secs().to_string()),
            ("ReceiveMessageWaitTimeSeconds", a.wait.as_secs().to_string()),
            ("MessageRetentionPeriod", a.retention.as_secs().to_string()),
            ("MaximumMessageSize", a.max_message.to_string()),
            ("QueueArn", self.arn(&queue.name)),
            ("CreatedTimestamp", "0".into()),
            ("LastModifiedTimestamp", "0".into()),
            ("SqsManagedSseEnabled", "true".into()),
        ];
        if let Some((target, max)) = queue.redrive() {
            let policy =
                json!({ "deadLetterTargetArn": self.arn(&target), "maxReceiveCount": max });
            all.push(("RedrivePolicy", policy.to_string()));
        }
        let wanted = |name: &str| asked.iter().any(|a| a == "All" || a == name);
        let found: Map<_, _> =
            all.into_iter().filter(|(n, _)| wanted(n)).map(|(n, v)| (n.into(), v.into())).collect();
        Ok(if found.is_empty() { json!({}) } else { json!({ "Attributes": found }) })
    }

    fn set_attributes(&self, input: &Value) -> Answer {
        let queue = self.queue(input)?;
        queue.set_attributes(attributes(queue.attributes(), &input["Attributes"])?);
        self.redrive(&queue, &input["Attributes"])?;
        Ok(json!({}))
    }

    fn send(&self, input: &Value) -> Answer {
        let queue = self.queue(input)?;
        let message = new_message(input, queue.attributes().max_message)?;
        let mut sent = json!({ "MD5OfMessageBody": message.body_md5() });
        add_digests(&mut sent, &message);
        sent["MessageId"] = json!(queue.send(message));
        Ok(sent)
    }

    fn send_batch(&self, input: &Value) -> Answer {
        let queue = self.queue(input)?;
        let max = queue.attributes().max_message;
        let entries = entries(input)?;
        let size: usize =
            entries.iter().map(|e| e["MessageBody"].as_str().map_or(0, str::len)).sum();
        if size > MAX_BYTES {
            return fault(
                "BatchRequestTooLong",
                format!(
                    "Batch requests cannot be longer than {MAX_BYTES} bytes. You have sent {size} bytes."
                ),
            );
        }
        each(entries, |entry| {
            let message = new_message(entry, max)?;
            let mut sent = json!({ "MD5OfMessageBody": message.body_md5() });
            add_digests(&mut sent, &message);
            sent["MessageId"] = json!(queue.send(message));
            Ok(sent)
        })
    }

    fn batch(&self, input: &Value, act: fn(&Queue, &Value) -> Answer) -> Answer {
        let queue = self.queue(input)?;
        each(entries(input)?, |entry| act(&queue, entry))
    }

    async fn receive(&self, input: &Value) -> Answer {
        let queue = self.queue(input)?;
        let max = input["MaxNumberOfMessages"].as_i64().unwrap_or(1);
        let max = match usize::try_from(max) {
            Ok(max) if (1..=MAX_BATCH_MESSAGES).contains(&max) => max,
            _ => {
                return invalid(format!(
                    "Value {max} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
                ));
            }
        };
        let wait =
            seconds(input, "WaitTimeSeconds", MAX_WAIT_SECONDS)?.unwrap_or(queue.attributes().wait);
        let visibility = seconds(input, "VisibilityTimeout", MAX_VISIBILITY_SECONDS)?;
        let mut system = strings(&input["AttributeNames"]);
        system.extend(strings(&input["MessageSystemAttributeNames"]));
        let custom = strings(&input["MessageAttributeNames"]);
        let received = queue.receive(max, wait, visibility).await;
        let messages: Vec<_> = received.iter().map(|r| self.shown(r, &system, &custom)).collect();
        Ok(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
    }

    /// A message as ReceiveMessage shows it.
    fn shown(&self, received: &Received, system: &[String], custom: &[String]) -> Value {
        let message = &received.message;
        let mut out = json!({
            "MessageId": received.id,
            "ReceiptHandle": received.receipt,
            "Body": message.body,
            "MD5OfBody": message.body_md5(),
        });
        let mut all = vec![
            ("SentTimestamp", received.sent.to_string()),
            ("ApproximateReceiveCount", received.receives.to_string()),
            ("ApproximateFirstReceiveTimestamp", received.first_received.to_string()),
            ("SenderId", "local".into()),
        ];
        all.extend(message.group.clone().map(|g| ("MessageGroupId", g)));
        all.extend(message.trace.clone().map(|t| (TRACE_HEADER, t)));
        all.extend(received.source.as_ref().map(|q| ("DeadLetterQueueSourceArn", self.arn(q))));
        let wanted = |name: &str| system.iter().any(|s| s == "All" || s == name);
        let found: Map<_, _> =
            all.into_iter().filter(|(n, _)| wanted(n)).map(|(n, v)| (n.into(), v.into())).collect();
        if !found.is_empty() {
            out["Attributes"] = found.into();
        }
        let matches = |name: &str| {
            custom.iter().any(|c| match c.strip_suffix(".*").or_else(|| c.strip_suffix('*')) {
                Some(start) => name.starts_with(start),
                None => c == "All" || c == name,
            })
        };
        let attributes: BTreeMap<_, _> = message
            .attributes
            .iter()
            .filter(|(name, _)| matches(name))
            .map(|(name, attribute)| (name.clone(), attribute.clone()))
            .collect();
        if !attributes.is_empty() {
            out["MessageAttributes"] =
                attributes.iter().map(|(n, a)| (n.clone(), shown_attribute(a))).collect();
            let chosen = NewMessage { attributes, ..NewMessage::default() };
            out["MD5OfMessageAttributes"] = json!(chosen.attributes_md5());
        }
        out
    }
}

fn answer(result: Answer) -> Response<s3s::Body> {
    let (status, body, query) = match result {
        Ok(value) => (StatusCode::OK, value, None),
        Err(Fault { code, query, message }) => {
            let body = json!({ "__type": format!("com.amazonaws.sqs#{code}"), "message": message });
            let query = query.map_or_else(|| format!("{code};Sender"), |q| format!("{q};Sender"));
            (StatusCode::BAD_REQUEST, body, Some(query))
        }
    };
    let mut response = Response::new(s3s::Body::from(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        "content-type",
        hyper::header::HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    if let Some(query) = query.and_then(|q| q.parse().ok()) {
        headers.insert("x-amzn-query-error", query);
    }
    if let Ok(id) = uuid::Uuid::new_v4().to_string().parse() {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

fn add_digests(sent: &mut Value, message: &NewMessage) {
    if let Some(md5) = message.attributes_md5() {
        sent["MD5OfMessageAttributes"] = json!(md5);
    }
    if let Some(md5) = message.system_attributes_md5() {
        sent["MD5OfMessageSystemAttributes"] = json!(md5);
    }
}

fn entries(input: &Value) -> Result<&[Value], Fault> {
    let entries = input["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        return fault(
            "EmptyBatchRequest",
            "There should be at least one SendMessageBatchRequestEntry in the request.",
        );
    }
    if entries.len() > MAX_BATCH_MESSAGES {
        return fault(
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10.",
        );
    }
    let mut ids = HashSet::new();
    for entry in entries {
        let id = entry["Id"].as_str().unwrap_or_default();
        let ok = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > 80 || !id.chars().all(ok) {
            return fault(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores.",
            );
        }
        if !ids.insert(id) {
            return fault("BatchEntryIdsNotDistinct", format!("Id {id} repeated."));
        }
    }
    Ok(entries)
}

/// Acts on each entry of a batch; one that fails does not stop the others.
fn each(entries: &[Value], act: impl Fn(&Value) -> Answer) -> Answer {
    let (mut successful, mut failed) = (vec![], vec![]);
    for entry in entries {
        match act(entry) {
            Ok(mut done) => {
                done["Id"] = entry["Id"].clone();
                successful.push(done);
            }
            Err(e) => failed.push(json!({
                "Id": entry["Id"], "SenderFault": true, "Code": e.code, "Message": e.message,
            })),
        }
    }
    Ok(json!({ "Successful": successful, "Failed": failed }))
}

fn delete(queue: &Queue, input: &Value) -> Answer {
    let receipt = input["ReceiptHandle"].as_str().unwrap_or_default();
    if !queue.delete(receipt) {
        return fault("ReceiptHandleIsInvalid", "The input receipt handle is invalid.");
    }
    Ok(json!({}))
}

fn change_visibility(queue: &Queue, input: &Value) -> Answer {
    let receipt = input["ReceiptHandle"].as_str().unwrap_or_default();
    let Some(timeout) = seconds(input, "VisibilityTimeout", MAX_VISIBILITY_SECONDS)? else {
        return fault(
            "MissingParameter",
            "The request must contain the parameter VisibilityTimeout.",
        );
    };
    match queue.change_visibility(receipt, timeout) {
        Ok(()) => Ok(json!({})),
        Err(_) if receipt.contains('-') => {
            fault("MessageNotInflight", "The message referred to isn't in flight.")
        }
        Err(_) => fault("ReceiptHandleIsInvalid", "The input receipt handle is invalid."),
    }
}

fn shown_attribute(attribute: &MessageAttribute) -> Value {
    let mut out = json!({ "DataType": attribute.data_type });
    if let Some(text) = &attribute.string {
        out["StringValue"] = json!(text);
    }
    if let Some(bytes) = &attribute.binary {
        out["BinaryValue"] = json!(STANDARD.encode(bytes));
    }
    out
}
