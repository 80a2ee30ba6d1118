//! Values of the parameters of a statement, as a job file has them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// By their names, without the `$`.
pub type Params = BTreeMap<String, Param>;

/// A value. JSON says null, truth values, numbers and texts itself; all others say what they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Param {
    Null,
    Bool(bool),
    Int(i64),
    /// A number with a fraction, as the job writes it.
    Number(f64),
    /// Takes the type that it is compared with, as a text between quotes does.
    Text(String),
    Typed(TypedParam),
}

/// `{"date": "2024-01-31"}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TypedParam {
    /// A double: `1.5`, `nan`, `inf`.
    Float(String),
    /// An exact number: `12.50`.
    Decimal(String),
    /// `2024-01-31`
    Date(String),
    /// `2024-01-31T12:00:00.123456`
    Timestamp(String),
    /// `2024-01-31T12:00:00+02:00`
    Timestamptz(String),
    /// `12:00:00`
    Time(String),
    /// As SQL has it between quotes: `1 day 3723.5 seconds`.
    Interval(String),
    /// In hexadecimal digits.
    Bytes(String),
    /// Of one type.
    List(Vec<Param>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_json_says_or_what_they_say_themselves() {
        let typed = |text: &str| Param::Typed(TypedParam::Date(text.into()));
        for (json, value) in [
            ("null", Param::Null),
            ("true", Param::Bool(true)),
            ("-5", Param::Int(-5)),
            ("1.5", Param::Number(1.5)),
            ("\"null\"", Param::Text("null".into())),
            (r#"{"date":"2024-01-31"}"#, typed("2024-01-31")),
            (
                r#"{"list":[1,{"date":"x"}]}"#,
                Param::Typed(TypedParam::List(vec![Param::Int(1), typed("x")])),
            ),
        ] {
            assert_eq!(serde_json::from_str::<Param>(json).expect(json), value);
            assert_eq!(serde_json::to_string(&value).expect("JSON"), json);
        }
        for json in ["{}", r#"{"day":"x"}"#, "[1]", r#"{"date":5}"#] {
            serde_json::from_str::<Param>(json).expect_err(json);
        }
    }
}
