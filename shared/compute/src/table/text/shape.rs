//! The types of NDJSON, from lines of it: numbers keep their digits until all have been seen.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields};

use super::evidence::Evidence;

/// Objects within objects.
const NESTING_LEVELS_MAX: usize = 64;

/// What has been seen at a place of JSON values.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Shape {
    /// Nothing but nulls.
    #[default]
    Unknown,
    Value(Evidence),
    List(Box<Shape>),
    Object(Vec<(String, Shape)>),
}

impl Shape {
    /// Of the values of both; the error names the place and says what differs.
    pub(super) fn and(self, other: Self) -> Result<Self, String> {
        Ok(match (self, other) {
            (Self::Unknown, shape) | (shape, Self::Unknown) => shape,
            (Self::Value(a), Self::Value(b)) => Self::Value(a.and(&b)),
            (Self::List(a), Self::List(b)) => Self::List(Box::new(a.and(*b)?)),
            (Self::Object(mut all), Self::Object(more)) => {
                for (name, shape) in more {
                    add(&mut all, name, shape)?;
                }
                Self::Object(all)
            }
            (a, b) => return Err(format!(" holds both {} and {}", a.title(), b.title())),
        })
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Unknown => "nulls",
            Self::Value(_) => "single values",
            Self::List(_) => "arrays",
            Self::Object(_) => "objects",
        }
    }

    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self::Unknown => DataType::Utf8, // whatever comes can be a text
            Self::Value(evidence) => match evidence.data_type() {
                DataType::Null => DataType::Utf8,
                known => known,
            },
            Self::List(item) => {
                DataType::List(Arc::new(Field::new("item", item.data_type(), true)))
            }
            Self::Object(fields) => {
                let field =
                    |(name, shape): &(String, Shape)| Field::new(name, shape.data_type(), true);
                DataType::Struct(fields.iter().map(field).collect::<Fields>())
            }
        }
    }

    /// Whether values of two files in one column are more likely a mistake than not.
    pub(super) fn conflicts_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => false,
            (Self::Value(a), Self::Value(b)) => a.conflicts_with(b),
            (Self::List(a), Self::List(b)) => a.conflicts_with(b),
            (Self::Object(a), Self::Object(b)) => a.iter().any(|(name, shape)| {
                b.iter().any(|(other, with)| name == other && shape.conflicts_with(with))
            }),
            _ => true,
        }
    }
}

/// Adds what was seen of a field.
pub(super) fn add(
    fields: &mut Vec<(String, Shape)>,
    name: String,
    shape: Shape,
) -> Result<(), String> {
    match fields.iter_mut().find(|(known, _)| *known == name) {
        None => fields.push((name, shape)),
        Some((_, known)) => {
            *known = std::mem::take(known).and(shape).map_err(|e| format!(".{name}{e}"))?;
        }
    }
    Ok(())
}

/// The fields of one line: an object and nothing else.
///
/// # Errors
/// It is not.
pub(super) fn of_line(line: &str) -> Result<Vec<(String, Shape)>, String> {
    let mut scanner = Scanner { text: line, at: 0 };
    scanner.skip_spaces();
    if scanner.peek() != Some(b'{') {
        return Err("it is not a JSON object".into());
    }
    let shape = scanner.value(0)?;
    scanner.skip_spaces();
    match shape {
        _ if scanner.at < line.len() => Err("something follows the object".into()),
        Shape::Object(fields) => Ok(fields),
        _ => Err("it is not a JSON object".into()),
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        self.skip_spaces();
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(format!("at byte {} there should be {}", self.at + 1, byte as char)),
            None => Err(UNFINISHED.into()),
        }
    }

    fn value(&mut self, depth: usize) -> Result<Shape, String> {
        if depth > NESTING_LEVELS_MAX {
            return Err("its objects are nested too deeply".into());
        }
        self.skip_spaces();
        let mut evidence = Evidence::default();
        match self.peek() {
            Some(b'{') => return self.object(depth),
            Some(b'[') => return self.list(depth),
            Some(b'"') => {
                self.string()?;
                evidence.add_word();
            }
            Some(_) => {
                let is_part = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
                let from = self.at;
                while self.peek().is_some_and(is_part) {
                    self.at += 1;
                }
                match &self.text[from..self.at] {
                    "null" => return Ok(Shape::Unknown),
                    "true" | "false" => evidence.add_boolean(),
                    number if number.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                        evidence.add(number);
                    }
                    _ => return Err(format!("at byte {} there is no value", from + 1)),
                }
            }
            None => return Err(UNFINISHED.into()),
        }
        Ok(Shape::Value(evidence))
    }

    fn object(&mut self, depth: usize) -> Result<Shape, String> {
        self.expect(b'{')?;
        let mut fields = vec![];
        self.skip_spaces();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Shape::Object(fields));
        }
        loop {
            self.skip_spaces();
            let name = self.string()?;
            self.expect(b':')?;
            let shape = self.value(depth + 1)?;
            add(&mut fields, name, shape)?;
            self.skip_spaces();
            if self.peek() == Some(b',') {
                self.at += 1;
                continue;
            }
            self.expect(b'}')?;
            return Ok(Shape::Object(fields));
        }
    }

    fn list(&mut self, depth: usize) -> Result<Shape, String> {
        self.expect(b'[')?;
        let mut item = Shape::Unknown;
        self.skip_spaces();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Shape::List(Box::new(item)));
        }
        loop {
            item = item.and(self.value(depth + 1)?)?;
            self.skip_spaces();
            if self.peek() == Some(b',') {
                self.at += 1;
                continue;
            }
            self.expect(b']')?;
            return Ok(Shape::List(Box::new(item)));
        }
    }

    fn string(&mut self) -> Result<String, String> {
        let from = self.at;
        self.expect(b'"')?;
        let mut is_plain = true;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    is_plain = false;
                    self.at += 2;
                }
                Some(_) => self.at += 1,
                None => return Err(UNFINISHED.into()),
            }
        }
        self.at += 1;
        if is_plain {
            return Ok(self.text[from + 1..self.at - 1].to_owned());
        }
        serde_json::from_str(&self.text[from..self.at]).map_err(|e| e.to_string())
    }
}

/// A line that ends before its object does.
pub(super) const UNFINISHED: &str = "the object does not end with the line";

#[cfg(test)]
mod tests {
    use super::*;

    fn types(lines: &[&str]) -> Result<String, String> {
        let mut all = vec![];
        for line in lines {
            for (name, shape) in of_line(line)? {
                add(&mut all, name, shape)?;
            }
        }
        let types = all.iter().map(|(name, shape)| format!("{name} {}", shape.data_type()));
        Ok(types.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn numbers_keep_their_digits() {
        for (lines, expected) in [
            (&["{\"a\": 1}", "{\"a\": null, \"b\": \"x\"}"][..], "a Int64, b Utf8"),
            (&["{\"u\":18446744073709551615}", "{\"u\":1}"], "u Decimal128(38, 0)"),
            (&["{\"p\":10}", "{\"p\":19.99}"], "p Float64"),
            (&["{\"p\":9007199254740993}", "{\"p\":0.5}"], "p Decimal128(38, 1)"),
            (&["{\"p\":1e999}"], "p Utf8"),
            (&["{\"a\":true}", "{\"a\":1}"], "a Utf8"),
            (&["{\"d\":\"2024-01-02\"}"], "d Utf8"),
            (
                &["{\"a\":[1, 2.5], \"o\":{\"x\\u0041\":[]}}"],
                "a List(Float64), o Struct(\"xA\": List(Utf8))",
            ),
        ] {
            assert_eq!(types(lines), Ok(expected.to_owned()), "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_object_in_one_line_is_said() {
        for (line, part) in [
            ("[1]", "not a JSON object"),
            ("{\"a\": 1", UNFINISHED),
            ("{\"a\": \"x", UNFINISHED),
            ("{\"a\": }", "no value"),
            ("{\"a\" 1}", "should be :"),
            ("{} {}", "follows"),
            ("{\"a\": [1, {}]}", "both"),
        ] {
            let why = types(&[line]).expect_err(line);
            assert!(why.contains(part), "{line}: {why}");
        }
        let deep = format!("{{\"a\":{}", "[".repeat(5000));
        assert!(types(&[&deep]).is_err_and(|e| e.contains("deeply")));
    }
}
