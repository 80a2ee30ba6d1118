use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Setting, TemplateError};

/// Evaluates intrinsic functions.
pub(super) struct Evaluator<'a> {
    pub(super) setting: &'a Setting,
    /// The template's parameters with their defaults.
    pub(super) parameters: &'a Value,
    pub(super) conditions: &'a Value,
    pub(super) resources: &'a Value,
}

impl Evaluator<'_> {
    /// The value at a place of the template, for messages.
    pub(super) fn value(&self, at: &str, value: &Value) -> Result<Value, TemplateError> {
        match value {
            Value::Array(items) => items.iter().map(|i| self.value(at, i)).collect(),
            Value::Object(map) => match map.iter().next() {
                Some((name, inner)) if map.len() == 1 && is_intrinsic(name) => {
                    self.intrinsic(at, name, inner)
                }
                _ => {
                    let mut pairs = serde_json::Map::new();
                    for (name, value) in map {
                        let value = self.value(at, value)?;
                        if !value.is_null() {
                            pairs.insert(name.clone(), value); // else it is AWS::NoValue
                        }
                    }
                    Ok(Value::Object(pairs))
                }
            },
            plain => Ok(plain.clone()),
        }
    }

    pub(super) fn text(&self, at: &str, value: &Value) -> Result<String, TemplateError> {
        match self.value(at, value)? {
            Value::String(text) => Ok(text),
            Value::Number(n) => Ok(n.to_string()),
            Value::Bool(b) => Ok(b.to_string()),
            other => Err(invalid(at, format!("{other} is no text"))),
        }
    }

    fn intrinsic(&self, at: &str, name: &str, inner: &Value) -> Result<Value, TemplateError> {
        match (name, inner) {
            ("Ref", Value::String(target)) => self.reference(at, target),
            ("Fn::GetAtt", Value::Array(parts)) => match &parts[..] {
                [Value::String(resource), Value::String(attribute)] => {
                    self.attribute(at, resource, attribute)
                }
                _ => Err(invalid(at, "GetAtt takes a resource and an attribute")),
            },
            ("Fn::Sub", Value::String(text)) => self.substitute(at, text, &BTreeMap::new()),
            ("Fn::Sub", Value::Array(parts)) => match &parts[..] {
                [Value::String(text), Value::Object(own)] => {
                    let own = own.iter().map(|(k, v)| Ok((k.as_str(), self.text(at, v)?)));
                    self.substitute(at, text, &own.collect::<Result<_, TemplateError>>()?)
                }
                _ => Err(invalid(at, "Sub takes a text and a map")),
            },
            ("Fn::If", Value::Array(parts)) => match &parts[..] {
                [Value::String(condition), yes, no] => {
                    self.value(at, if self.named_condition(at, condition)? { yes } else { no })
                }
                _ => Err(invalid(at, "If takes a condition and two values")),
            },
            _ => Err(invalid(at, format!("{name} is not supported"))),
        }
    }

    fn reference(&self, at: &str, target: &str) -> Result<Value, TemplateError> {
        let pseudo = match target {
            "AWS::AccountId" => Some(self.setting.account.as_str()),
            "AWS::Region" => Some(self.setting.region.as_str()),
            "AWS::Partition" => Some("aws"),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            "AWS::StackName" => Some("local"),
            "AWS::NoValue" => return Ok(Value::Null),
            _ => None,
        };
        if let Some(value) =
            pseudo.or_else(|| self.setting.parameters.get(target).map(String::as_str))
        {
            return Ok(json!(value));
        }
        if let Some(parameter) = self.parameters.get(target) {
            let default = parameter.get("Default");
            return default
                .cloned()
                .ok_or_else(|| invalid(at, format!("parameter {target} has no value")));
        }
        match self.kind(target) {
            Some("AWS::SQS::Queue") => {
                let Setting { endpoint, account, .. } = self.setting;
                Ok(json!(format!("{endpoint}/{account}/{target}")))
            }
            Some("AWS::S3::Bucket") => {
                let name = &self.resources[target]["Properties"]["BucketName"];
                self.text(at, name).map(Value::String)
            }
            Some(_) => Ok(json!(target)),
            None => Err(invalid(at, format!("{target} is neither a parameter nor a resource"))),
        }
    }

    fn attribute(&self, at: &str, resource: &str, attribute: &str) -> Result<Value, TemplateError> {
        let Setting { account, region, .. } = self.setting;
        match (self.kind(resource), attribute) {
            (Some("AWS::SQS::Queue"), "Arn") => {
                Ok(json!(format!("arn:aws:sqs:{region}:{account}:{resource}")))
            }
            (Some("AWS::SQS::Queue"), "QueueName") => Ok(json!(resource)),
            (Some("AWS::Serverless::Function"), "Arn") => {
                Ok(json!(format!("arn:aws:lambda:{region}:{account}:function:{resource}")))
            }
            (Some(kind), _) => {
                Err(invalid(at, format!("attribute {attribute} of {kind} is not supported")))
            }
            (None, _) => Err(invalid(at, format!("there is no resource {resource}"))),
        }
    }

    fn kind(&self, resource: &str) -> Option<&str> {
        self.resources.get(resource)?.get("Type")?.as_str()
    }

    fn substitute(
        &self,
        at: &str,
        text: &str,
        own: &BTreeMap<&str, String>,
    ) -> Result<Value, TemplateError> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else {
                return Err(invalid(at, format!("'{text}' has an open ${{")));
            };
            out.push_str(before);
            match (own.get(name), name.split_once('.')) {
                (Some(value), _) => out.push_str(value),
                (None, Some((resource, attribute))) => {
                    out.push_str(
                        self.attribute(at, resource, attribute)?.as_str().unwrap_or_default(),
                    );
                }
                (None, None) => out.push_str(&self.text(at, &json!({ "Ref": name }))?),
            }
            rest = behind;
        }
        out.push_str(rest);
        Ok(json!(out))
    }

    fn named_condition(&self, at: &str, name: &str) -> Result<bool, TemplateError> {
        match self.conditions.get(name) {
            Some(condition) => self.condition(at, condition),
            None => Err(invalid(at, format!("there is no condition {name}"))),
        }
    }

    fn condition(&self, at: &str, condition: &Value) -> Result<bool, TemplateError> {
        let single = condition.as_object().filter(|m| m.len() == 1).and_then(|m| m.iter().next());
        match single.map(|(name, inner)| (name.as_str(), inner)) {
            Some(("Fn::Not", Value::Array(parts))) if parts.len() == 1 => {
                Ok(!self.condition(at, &parts[0])?)
            }
            Some(("Fn::Equals", Value::Array(parts))) if parts.len() == 2 => {
                Ok(self.text(at, &parts[0])? == self.text(at, &parts[1])?)
            }
            Some(("Fn::And", Value::Array(parts))) => {
                parts.iter().try_fold(true, |all, p| Ok(self.condition(at, p)? && all))
            }
            Some(("Fn::Or", Value::Array(parts))) => {
                parts.iter().try_fold(false, |any, p| Ok(self.condition(at, p)? || any))
            }
            Some(("Condition", Value::String(name))) => self.named_condition(at, name),
            _ => Err(invalid(at, format!("{condition} is no condition"))),
        }
    }
}

fn is_intrinsic(name: &str) -> bool {
    name == "Ref" || name.starts_with("Fn::")
}

pub(super) fn invalid(at: &str, problem: impl Into<String>) -> TemplateError {
    TemplateError::Invalid { at: at.to_owned(), problem: problem.into() }
}
