//! What requests to SQS say: messages, attributes and numbers, and the faults of those that say it wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::attributes::Attributes;
use super::message::{MessageAttribute, NewMessage, TRACE_HEADER};

/// Longest delay, in seconds.
const MAX_DELAY_SECONDS: u64 = 900;
/// Most bytes of a message, and of a batch.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// An error as SQS states it.
#[derive(Debug)]
pub(super) struct Fault {
    /// The error's shape, e.g. `QueueDoesNotExist`.
    pub(super) code: &'static str,
    /// Its name in the older query protocol, which some clients still show.
    pub(super) query: Option<&'static str>,
    pub(super) message: String,
}

pub(super) fn fault<T>(code: &'static str, message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { code, query: None, message: message.into() })
}

pub(super) fn invalid<T>(message: impl Into<String>) -> Result<T, Fault> {
    fault("InvalidParameterValue", message)
}

pub(super) type Answer = Result<Value, Fault>;

pub(super) fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// A number of seconds, given as a number or as text.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

pub(super) fn seconds(input: &Value, name: &str, max: u64) -> Result<Option<Duration>, Fault> {
    if input[name].is_null() {
        return Ok(None);
    }
    match number(&input[name]).and_then(|n| u64::try_from(n).ok()) {
        Some(n) if n <= max => Ok(Some(Duration::from_secs(n))),
        _ => invalid(format!(
            "Value {} for parameter {name} is invalid. Reason: Must be >= 0 and <= {max}, if provided.",
            input[name]
        )),
    }
}

pub(super) fn attributes(mut a: Attributes, stated: &Value) -> Result<Attributes, Fault> {
    for (name, value) in stated.as_object().into_iter().flatten() {
        let get = |min: i64, max: i64| match number(value) {
            Some(n) if (min..=max).contains(&n) => Ok(u64::try_from(n).unwrap_or(0)),
            _ => fault("InvalidAttributeValue", format!("Invalid value for the parameter {name}.")),
        };
        let duration = |min, max| get(min, max).map(Duration::from_secs);
        match name.as_str() {
            "VisibilityTimeout" => a.visibility = duration(0, 43_200)?,
            "DelaySeconds" => a.delay = duration(0, 900)?,
            "ReceiveMessageWaitTimeSeconds" => a.wait = duration(0, 20)?,
            "MessageRetentionPeriod" => a.retention = duration(60, 1_209_600)?,
            "MaximumMessageSize" => {
                a.max_message = usize::try_from(get(1024, 1_048_576)?).unwrap_or(MAX_BYTES);
            }
            "RedrivePolicy"
            | "Policy"
            | "RedriveAllowPolicy"
            | "KmsMasterKeyId"
            | "KmsDataKeyReusePeriodSeconds"
            | "SqsManagedSseEnabled" => {}
            _ => return fault("InvalidAttributeName", format!("Unknown Attribute {name}.")),
        }
    }
    Ok(a)
}

pub(super) fn new_message(input: &Value, max: usize) -> Result<NewMessage, Fault> {
    let Some(body) = input["MessageBody"].as_str().filter(|b| !b.is_empty()) else {
        return fault("MissingParameter", "The request must contain the parameter MessageBody.");
    };
    if let Some(bad) = body.chars().find(|c| !is_allowed(*c)) {
        return fault(
            "InvalidMessageContents",
            format!("Invalid character {:#x} was found in the message body.", u32::from(bad)),
        );
    }
    let message = NewMessage {
        body: body.to_owned(),
        attributes: message_attributes(&input["MessageAttributes"])?,
        group: input["MessageGroupId"].as_str().map(str::to_owned),
        delay: seconds(input, "DelaySeconds", MAX_DELAY_SECONDS)?,
        trace: trace_header(&input["MessageSystemAttributes"])?,
    };
    if message.size() > max {
        return invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {max} bytes."
        ));
    }
    Ok(message)
}

/// Amazon SQS API Reference, `SendMessage`: the characters of XML 1.0.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

/// Amazon SQS API Reference, `SendMessage`: the only system attribute is the header of a trace.
fn trace_header(stated: &Value) -> Result<Option<String>, Fault> {
    let mut all = message_attributes(stated)?;
    let header = all.remove(TRACE_HEADER);
    let bad = match &header {
        Some(header) if header.data_type != "String" => Some(TRACE_HEADER),
        _ => all.keys().next().map(String::as_str),
    };
    match bad {
        Some(name) => invalid(format!("The message system attribute '{name}' is invalid.")),
        None => Ok(header.and_then(|header| header.string)),
    }
}

fn message_attributes(stated: &Value) -> Result<BTreeMap<String, MessageAttribute>, Fault> {
    let mut all = BTreeMap::new();
    for (name, value) in stated.as_object().into_iter().flatten() {
        let data_type = value["DataType"].as_str().unwrap_or_default().to_owned();
        let kind = data_type.split('.').next().unwrap_or_default();
        let string = value["StringValue"].as_str().map(str::to_owned);
        let binary = value["BinaryValue"].as_str().and_then(|b| STANDARD.decode(b).ok());
        let good = match kind {
            "String" | "Number" => string.as_ref().is_some_and(|s| !s.is_empty()),
            "Binary" => binary.as_ref().is_some_and(|b| !b.is_empty()),
            _ => false,
        };
        if !good || !is_attribute_name(name) {
            return invalid(format!("The message attribute '{name}' is invalid."));
        }
        all.insert(name.clone(), MessageAttribute { data_type, string, binary });
    }
    if all.len() > 10 {
        return invalid("Number of message attributes exceeds the allowed maximum of 10.");
    }
    Ok(all)
}

/// Amazon SQS API Reference, `MessageAttributeValue`.
fn is_attribute_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=256).contains(&name.len())
        && name.chars().all(ok)
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_carries_the_header_of_a_trace_and_no_other_system_attribute() {
        let trace = |stated: Value| {
            let input = json!({ "MessageBody": "a", "MessageSystemAttributes": stated });
            new_message(&input, MAX_BYTES).map(|message| message.trace).map_err(|e| e.message)
        };
        let text = json!({ "DataType": "String", "StringValue": "Root=1-2-3" });
        let bytes = json!({ "DataType": "Binary", "BinaryValue": "YQ==" });
        assert_eq!(trace(Value::Null), Ok(None));
        assert_eq!(trace(json!({ TRACE_HEADER: text })), Ok(Some("Root=1-2-3".into())));
        assert!(trace(json!({ TRACE_HEADER: bytes })).is_err());
        assert!(trace(json!({ TRACE_HEADER: text, "Other": text })).is_err());
    }
}
