//! Functions of Python that a statement calls: what a job, or a file `functions/<name>.py`, declares of them.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::calls::ContentName;
use crate::engine::EngineError;
use crate::ids::RunId;
use crate::job::Refusal;

/// By the names that a statement calls them by.
pub type Functions = BTreeMap<String, Function>;

/// The longest text of a function, in bytes: each task gets it with its plan.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;

/// The longest name of a function, in characters.
const NAME_CHARACTERS_MAX: usize = 63;

/// A function, and how it is called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Function {
    #[serde(default, skip_serializing_if = "FunctionKind::is_scalar")]
    pub kind: FunctionKind,
    /// Types of the arguments in SQL; without them arguments come with the types that they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// A type in SQL; of a table function its columns: `word text, n bigint`.
    pub returns: String,
    #[serde(default, skip_serializing_if = "OnNull::is_null")]
    pub on_null: OnNull,
    #[serde(default, skip_serializing_if = "Volatility::is_immutable")]
    pub volatility: Volatility,
    /// What a row takes: `1ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// What the function gets; by the annotation of its first parameter, if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputForm>,
    /// The text of a module that defines a function of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pickled: Option<Pickled>,
}

/// What a function is called for, and what it gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FunctionKind {
    /// A value for each row.
    #[default]
    Scalar,
    /// A value for each group.
    Aggregate,
    /// Rows for each row.
    Table,
}

/// What becomes of rows of which an argument is NULL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnNull {
    /// The function is not called for them, and gives NULL, or no rows. An aggregate leaves them out.
    #[default]
    Null,
    /// The function is called.
    Call,
}

/// As PostgreSQL has it (`CREATE FUNCTION`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Volatility {
    /// The same for the same arguments.
    #[default]
    Immutable,
    /// The same for the same arguments within a statement.
    Stable,
    /// Another one each time.
    Volatile,
}

/// What a function gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputForm {
    /// Values of Python, those of one row at a time.
    Values,
    /// A `pandas.Series` for each argument.
    Pandas,
    /// A `pyarrow.Array` for each argument.
    Arrow,
    /// A `polars.Series` for each argument.
    Polars,
    /// A `numpy.ndarray` for each argument.
    Numpy,
}

/// A function that a client has sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pickled {
    pub function: ContentName,
    /// The version of Python that it was pickled by: `3.13`.
    pub python: String,
    /// As those of [`Calls`](crate::calls::Calls).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<ContentName>,
    /// As those of [`Calls`](crate::calls::Calls).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<ContentName>,
}

/// Seconds, as a number and a unit: `20us`, `1ms`, `0.5s`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Cost {
    text: String,
    pub seconds: f64,
}

impl TryFrom<String> for Cost {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let units = [("us", 1e-6), ("ms", 1e-3), ("s", 1.0)];
        let read = units.iter().find_map(|(unit, seconds)| {
            let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
            Some(number * seconds)
        });
        match read {
            Some(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(Self { text, seconds }),
            _ => Err(format!("cost is '{text}': write a time for a row such as 20us, 1ms or 0.5s")),
        }
    }
}

impl From<Cost> for String {
    fn from(cost: Cost) -> Self {
        cost.text
    }
}

/// The seam to what executes functions that are not the engine's.
#[async_trait]
pub trait FunctionCaller: fmt::Debug + Send + Sync {
    /// Calls a function over rows. `types` is a stream of Arrow IPC without batches, whose schema has the field
    /// `returns` of the type that is to come back; `rows` one with one batch, whose columns are the arguments, or
    /// of an aggregate one list of them for each group.
    ///
    /// Returns: a stream of one batch with that column.
    ///
    /// # Errors
    /// A sentence, if the function cannot be called, raises, or returns something else.
    async fn call(
        &self,
        run: &RunId,
        name: &str,
        function: &Function,
        types: Bytes,
        rows: Bytes,
    ) -> Result<Bytes, EngineError>;
}

impl FunctionKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_scalar(&self) -> bool {
        *self == Self::Scalar
    }
}

impl OnNull {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_null(&self) -> bool {
        *self == Self::Null
    }
}

impl Volatility {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_immutable(&self) -> bool {
        *self == Self::Immutable
    }
}

impl Function {
    /// # Errors
    /// A sentence that begins with what it is of, and names the member that cannot be.
    pub fn check(&self, name: &str, of: &str) -> Result<(), Refusal> {
        let refuse = |why: &str| {
            Err(Refusal::at(&format!("/functions/{name}"), format!("{of}: function {name} {why}")))
        };
        if !is_name(name) {
            return refuse(
                "has a name that SQL cannot call: take lower-case letters, digits and _, and no digit first",
            );
        }
        match (&self.source, &self.pickled) {
            (None, None) => return refuse("has neither source nor pickled: it has no code"),
            (Some(_), Some(_)) => return refuse("has both source and pickled: which is it?"),
            (Some(source), None) if source.len() > SOURCE_BYTES_MAX => {
                return refuse(&format!(
                    "has {} bytes of source, and may have {SOURCE_BYTES_MAX}: put data into a table, or a \
                     module into a package",
                    source.len()
                ));
            }
            _ => {}
        }
        if self.kind == FunctionKind::Table
            && self.input.is_some_and(|input| input != InputForm::Values)
        {
            return refuse("is a table function: it gets the values of a row");
        }
        Ok(())
    }
}

/// Whether a statement can call a function so without quotes.
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME_CHARACTERS_MAX
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_a_number_and_a_unit() {
        let seconds = |text: &str| Cost::try_from(text.to_owned()).map(|cost| cost.seconds);
        assert_eq!(seconds("1ms"), Ok(1e-3));
        assert_eq!(seconds("0.5 s"), Ok(0.5));
        assert_eq!(seconds("20us"), Ok(20.0 * 1e-6));
        for bad in ["", "1", "ms", "-1s", "0s", "infs", "1h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_function_has_one_code_and_a_name_that_sql_can_call() {
        let function = |json: &str| serde_json::from_str::<Function>(json).unwrap();
        let source = function(r#"{"returns": "bigint", "source": "def f(x): return x"}"#);
        assert!(source.check("f", "jobs/a.json").is_ok());
        for bad in ["", "F", "1f", "f-g", "ä"] {
            assert!(source.check(bad, "jobs/a.json").is_err(), "{bad}");
        }
        let none = function(r#"{"returns": "bigint"}"#);
        let said = none.check("f", "jobs/a.json").unwrap_err().sentence;
        assert!(said.starts_with("jobs/a.json: function f has neither"), "{said}");
    }
}
