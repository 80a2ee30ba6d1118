use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::problem::Problem;
use crate::routes::Route;

/// A request of one of the routes.
#[derive(Debug, Clone)]
pub struct Request {
    pub route: &'static Route,
    /// Of the path, decoded.
    pub parameters: BTreeMap<String, String>,
    /// Decoded.
    pub query: BTreeMap<String, String>,
    /// By names in small letters.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Request {
    /// The parameters of a query, decoded; of those of one name the last.
    pub fn parse_query(text: &str) -> BTreeMap<String, String> {
        let decoded = |text: &str| {
            percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decoded(name), decoded(value))
            })
            .collect()
    }

    /// The value of a header, by its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// A parameter of the path.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// How many are asked for, from 1 to `most`, or a default.
    pub(crate) fn limit(&self, default: u64, most: u64) -> Result<usize, Problem> {
        let limit = self.number("limit", default, 1, most)?;
        Ok(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// A whole number of the query, or a default.
    pub(crate) fn number(
        &self,
        name: &str,
        default: u64,
        least: u64,
        most: u64,
    ) -> Result<u64, Problem> {
        let Some(text) = self.query(name) else { return Ok(default) };
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(Problem::of_parameter(
                name,
                format!("{name} is '{text}': it must be a whole number from {least} to {most}"),
            )),
        }
    }

    /// No member of the query is there that the route does not know.
    pub(crate) fn check_query(&self) -> Result<(), Problem> {
        let mut values = self.query.values().chain(self.parameters.values());
        if values.any(|value| value.contains(|c: char| c.is_control())) {
            return Err(Problem::new(400, "a parameter has a control character"));
        }
        let known = self.route.query;
        match self.query.keys().find(|name| !known.iter().any(|(known, _)| known == name)) {
            None => Ok(()),
            Some(name) => {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                let known = match names.is_empty() {
                    true => "takes none".to_owned(),
                    false => format!("takes {}", names.join(", ")),
                };
                let why = format!("there is no parameter {name}: {} {known}", self.route.key());
                Err(Problem::of_parameter(name, why))
            }
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Response {
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Self::of_text(status, "application/json", body),
            Err(e) => Problem::new(500, format!("the answer cannot be written: {e}")).into(),
        }
    }

    pub(crate) fn of_text(status: u16, content_type: &str, body: String) -> Self {
        Self { status, headers: vec![("content-type", content_type.into())], body }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: vec![], body: String::new() }
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
