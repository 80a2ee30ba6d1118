use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float64Array, Int32Array, Int64Array, ListArray, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Int32Type, Int64Type};

use super::kind::Kind;

/// A column as a file holds it. A value is made of a small number, so that few are distinct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// The row's number.
    Id,
    /// What tables are joined by.
    Key,
    Int32,
    Int64,
    Float,
    /// A float that may be infinite, negative zero or not a number.
    AnyFloat,
    Bool,
    Text,
    Date,
    Decimal,
    Micros,
    Dictionary,
    Zoned,
    Binary,
    List,
    Struct,
}

pub(crate) const TEXTS: &[&str] =
    &["a", "b", "north", "south, west", "two\nlines", "say \"x\"", "ähre", "%", " c ", "B", "it's"];

impl Stored {
    pub(crate) const ANY_FORMAT: &[Self] =
        &[Self::Int64, Self::Float, Self::Bool, Self::Text, Self::Date];
    pub(crate) const PARQUET: &[Self] = &[
        Self::Int32,
        Self::Int64,
        Self::Float,
        Self::AnyFloat,
        Self::Bool,
        Self::Text,
        Self::Date,
        Self::Decimal,
        Self::Micros,
        Self::Dictionary,
        Self::Zoned,
        Self::Binary,
        Self::List,
        Self::Struct,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Key => "k",
            Self::Int32 => "i",
            Self::Int64 => "n",
            Self::Float => "f",
            Self::AnyFloat => "g",
            Self::Bool => "b",
            Self::Text => "s",
            Self::Date => "d",
            Self::Decimal => "m",
            Self::Micros => "ts",
            Self::Dictionary => "dict",
            Self::Zoned => "tz",
            Self::Binary => "bin",
            Self::List => "l",
            Self::Struct => "st",
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Id | Self::Key | Self::Int32 | Self::Int64 => Kind::Int,
            Self::Float | Self::AnyFloat => Kind::Float,
            Self::Bool => Kind::Bool,
            Self::Text | Self::Dictionary => Kind::Text,
            Self::Date => Kind::Date,
            Self::Decimal => Kind::Decimal,
            Self::Micros => Kind::Time,
            Self::Zoned => Kind::ZonedTime,
            Self::Binary => Kind::Bytes,
            Self::List => Kind::List,
            Self::Struct => Kind::Struct,
        }
    }

    pub(crate) fn array(self, cells: &[Option<i64>]) -> ArrayRef {
        let values = cells.iter().copied();
        let texts = || values.clone().map(|v| v.map(text));
        match self {
            Self::Id | Self::Key | Self::Int64 => Arc::new(values.collect::<Int64Array>()),
            Self::Int32 => Arc::new(values.map(|v| v.map(small)).collect::<Int32Array>()),
            Self::Float => Arc::new(values.map(|v| v.map(float)).collect::<Float64Array>()),
            Self::AnyFloat => Arc::new(values.map(|v| v.map(any_float)).collect::<Float64Array>()),
            Self::Bool => Arc::new(values.map(|v| v.map(|v| v % 2 == 0)).collect::<BooleanArray>()),
            Self::Text => Arc::new(texts().collect::<StringArray>()),
            Self::Dictionary => Arc::new(texts().collect::<DictionaryArray<Int32Type>>()),
            Self::Date => Arc::new(values.map(|v| v.map(day)).collect::<Date32Array>()),
            Self::Decimal => {
                let array: Decimal128Array =
                    values.map(|v| v.map(|v| i128::from(v * 25))).collect();
                Arc::new(array.with_precision_and_scale(12, 2).expect("a decimal"))
            }
            Self::Micros => Arc::new(micros(cells)),
            Self::Zoned => Arc::new(micros(cells).with_timezone("UTC")),
            Self::Binary => {
                let bytes: Vec<_> = values.map(|v| v.map(text)).collect();
                Arc::new(bytes.into_iter().map(|t| t.map(str::as_bytes)).collect::<BinaryArray>())
            }
            Self::List => Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
                values.map(|v| v.map(|v| (0..v % 4).map(move |n| (n != 2).then_some(v + n)))),
            )),
            Self::Struct => {
                let nulls: NullBuffer = cells.iter().map(Option::is_some).collect();
                let (x, y) = (Self::Int64.array(cells), Self::Text.array(cells));
                let fields =
                    [Field::new("x", DataType::Int64, true), Field::new("y", DataType::Utf8, true)];
                Arc::new(StructArray::new(fields.to_vec().into(), vec![x, y], Some(nulls)))
            }
        }
    }

    /// The value in a text file, and whether it needs quotes in JSON.
    pub(crate) fn written(self, value: i64) -> (String, bool) {
        match self {
            Self::Float => (format!("{:?}", float(value)), false),
            Self::Bool => ((value % 2 == 0).to_string(), false),
            Self::Text => (text(value).to_owned(), true),
            Self::Date => {
                let start = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).expect("a day");
                (
                    (start + chrono::Days::new(u64::from(day(value).unsigned_abs()))).to_string(),
                    true,
                )
            }
            _ => (value.to_string(), false),
        }
    }
}

fn small(value: i64) -> i32 {
    i32::try_from(value).expect("a small number")
}

fn float(value: i64) -> f64 {
    f64::from(small(value)) * 0.25
}

fn any_float(value: i64) -> f64 {
    match value % 16 {
        7 => f64::NAN,
        8 => f64::INFINITY,
        9 => f64::NEG_INFINITY,
        0 => -0.0,
        10 => 0.0,
        _ => float(value),
    }
}

fn text(value: i64) -> &'static str {
    TEXTS[usize::try_from(value).unwrap_or(0) % TEXTS.len()]
}

/// Days around the start of 2024.
fn day(value: i64) -> i32 {
    19_720 + small(value)
}

fn micros(cells: &[Option<i64>]) -> TimestampMicrosecondArray {
    // odd values are not whole seconds
    let start = 1_704_067_200_000_000;
    cells.iter().map(|v| v.map(|v| start + v * 3_600_500_000)).collect()
}
