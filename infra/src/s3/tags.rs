//! Tags of objects: pairs that a user may change without writing the object again.
//!
//! They are part of what describes an object, and checked as S3 does (Amazon S3 User Guide,
//! "Categorizing your storage using tags").

use hyper::header::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use s3s::dto::Tag;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::Pairs;
use super::folder::Meta;

const MAX_TAGS: usize = 10;

const MAX_KEY_CHARS: usize = 128;

const MAX_VALUE_CHARS: usize = 256;

/// Keys that begin so are AWS's own.
const RESERVED: &str = "aws:";

/// How many an answer says that there are.
const COUNT: HeaderName = HeaderName::from_static("x-amz-tagging-count");

/// The tags that the header `x-amz-tagging` states: the query parameters of a URL.
pub(super) fn of_header(header: Option<&str>) -> S3Result<Pairs> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned).ok()
    };
    let malformed = || {
        s3_error!(
            InvalidArgument,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates."
        )
    };
    let mut tags = Pairs::new();
    for pair in header.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = decode(key).zip(decode(value)).ok_or_else(malformed)?;
        if tags.insert(key, value).is_some() {
            return Err(malformed());
        }
    }
    check(&tags)?;
    Ok(tags)
}

/// The tags that a request's body states.
pub(super) fn of_set(set: Vec<Tag>) -> S3Result<Pairs> {
    let mut tags = Pairs::new();
    for tag in set {
        if tags.insert(tag.key.unwrap_or_default(), tag.value.unwrap_or_default()).is_some() {
            return Err(s3_error!(InvalidTag, "Cannot provide multiple Tags with the same key"));
        }
    }
    check(&tags)?;
    Ok(tags)
}

pub(super) fn to_set(tags: Pairs) -> Vec<Tag> {
    let tag = |(key, value)| Tag { key: Some(key), value: Some(value) };
    tags.into_iter().map(tag).collect()
}

/// How many tags an object has, if it has any.
pub(super) fn count(meta: &Meta) -> Option<i32> {
    i32::try_from(meta.tags.len()).ok().filter(|count| *count > 0)
}

/// The same as a header, for an answer that has no field for it.
pub(super) fn count_header(meta: &Meta) -> Option<(HeaderName, HeaderValue)> {
    count(meta).map(|count| (COUNT, HeaderValue::from(count)))
}

fn check(tags: &Pairs) -> S3Result<()> {
    if tags.len() > MAX_TAGS {
        let mut e = S3Error::new(S3ErrorCode::Custom("BadRequest".into()));
        e.set_message(format!("Object tags cannot be greater than {MAX_TAGS}"));
        e.set_status_code(hyper::StatusCode::BAD_REQUEST);
        return Err(e);
    }
    for (key, value) in tags {
        if key.starts_with(RESERVED) {
            return Err(s3_error!(InvalidTag, "System tags cannot be added/updated by requester"));
        }
        if key.is_empty() || !is_text(key, MAX_KEY_CHARS) {
            return Err(s3_error!(InvalidTag, "The TagKey you have provided is invalid"));
        }
        if !is_text(value, MAX_VALUE_CHARS) {
            return Err(s3_error!(InvalidTag, "The TagValue you have provided is invalid"));
        }
    }
    Ok(())
}

/// Letters, digits and blanks of any language, and some signs.
fn is_text(text: &str, max_chars: usize) -> bool {
    let is_allowed = |c: char| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c);
    text.chars().count() <= max_chars && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_states_tags_within_the_limits_of_s3() {
        let tags = of_header(Some("a=1&b%20c=x%2By+z&empty")).expect("tags");
        let pairs: Vec<_> = tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("b c", "x+y z"), ("empty", "")]);
        assert!(of_header(None).expect("none").is_empty());
        let many = |count: usize| (0..count).map(|n| format!("k{n}=v&")).collect::<String>();
        assert_eq!(of_header(Some(&many(10))).expect("ten").len(), 10);
        let long = "x".repeat(MAX_VALUE_CHARS);
        assert!(of_header(Some(&format!("{}={long}", &long[..MAX_KEY_CHARS]))).is_ok());
        for (header, code) in [
            (many(11), "BadRequest"),
            ("a=1&a=2".into(), "InvalidArgument"),
            ("a=%ff".into(), "InvalidArgument"),
            ("=1".into(), "InvalidTag"),
            ("aws:x=1".into(), "InvalidTag"),
            ("a=%3C".into(), "InvalidTag"),
            (format!("a={long}x"), "InvalidTag"),
            (format!("{}x=1", &long[..MAX_KEY_CHARS]), "InvalidTag"),
        ] {
            let refused = of_header(Some(&header)).expect_err(&header);
            assert_eq!(refused.code().as_str(), code, "{header}");
        }
    }
}
