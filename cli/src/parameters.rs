use clap::Args;
use tidemill_protocol::param::{Param, Params};

/// Values for the parameters of a statement.
#[derive(Debug, Default, Clone, Args)]
pub(crate) struct Parameters {
    /// The value of $NAME (or $1, $2 …): a number, true, false, null, JSON such as {"date": "2024-01-31"},
    /// else a text.
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = pair)]
    pairs: Vec<(String, Param)>,
}

impl Parameters {
    /// By their names.
    pub(crate) fn params(&self) -> Params {
        self.pairs.iter().cloned().collect()
    }
}

fn pair(text: &str) -> Result<(String, Param), String> {
    let (name, value) = text.split_once('=').ok_or("it must be NAME=VALUE, such as year=2024")?;
    let name = name.trim_start_matches('$').to_owned();
    if name.is_empty() {
        return Err("it must be NAME=VALUE, such as year=2024".into());
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Param::Text(value.to_owned()));
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbers_truths_json_or_texts() {
        for (text, value) in [
            ("year=2024", Param::Int(2024)),
            ("x=-1.5", Param::Number(-1.5)),
            ("$x=null", Param::Null),
            ("x=O'Hare", Param::Text("O'Hare".into())),
            ("x=a=b", Param::Text("a=b".into())),
            ("x=\"5\"", Param::Text("5".into())),
            ("x=", Param::Text(String::new())),
        ] {
            assert_eq!(pair(text).expect(text).1, value, "{text}");
        }
        pair("year").expect_err("no value");
        pair("=5").expect_err("no name");
    }
}
