use saphyr::{LoadableYamlNode, ScalarOwned, YamlOwned};
use serde_json::{Map, Value, json};

use super::TemplateError;

/// Reads YAML into JSON; the short forms of intrinsic functions become the long ones.
pub(super) fn parse(text: &str) -> Result<Value, TemplateError> {
    let documents = YamlOwned::load_from_str(text)
        .map_err(|e| TemplateError::Yaml(format!("template.yaml is not valid YAML: {e}")))?;
    match &documents[..] {
        [document] => value(document),
        _ => Err(TemplateError::Yaml("template.yaml must be one YAML document".into())),
    }
}

fn value(node: &YamlOwned) -> Result<Value, TemplateError> {
    Ok(match node {
        YamlOwned::Value(scalar) => match scalar {
            ScalarOwned::Null => Value::Null,
            ScalarOwned::Boolean(b) => json!(b),
            ScalarOwned::Integer(n) => json!(n),
            ScalarOwned::FloatingPoint(n) => json!(n.into_inner()),
            ScalarOwned::String(text) => json!(text),
        },
        YamlOwned::Sequence(items) => items.iter().map(value).collect::<Result<_, _>>()?,
        YamlOwned::Mapping(pairs) => {
            let mut map = Map::new();
            for (key, item) in pairs {
                let Value::String(key) = value(key)? else {
                    return Err(TemplateError::Yaml(format!("a key is no text: {key:?}")));
                };
                map.insert(key, value(item)?);
            }
            Value::Object(map)
        }
        YamlOwned::Tagged(tag, inner) => long_form(&tag.suffix, &value(inner)?),
        other => return Err(TemplateError::Yaml(format!("not understood: {other:?}"))),
    })
}

/// `!Ref x` is `{"Ref": x}`, `!GetAtt a.b` is `{"Fn::GetAtt": [a, b]}`, and so on.
fn long_form(tag: &str, inner: &Value) -> Value {
    match (tag, inner) {
        ("Ref" | "Condition", _) => json!({ tag: inner }),
        ("GetAtt", Value::String(text)) => {
            let (resource, attribute) = text.split_once('.').unwrap_or((text, ""));
            json!({ "Fn::GetAtt": [resource, attribute] })
        }
        _ => json!({ format!("Fn::{tag}"): inner }),
    }
}
