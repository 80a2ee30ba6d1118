//! Where S3 answers: what the environment says, as the AWS SDKs read it, or the emulator's port.

use anyhow::bail;
use tidemill_infra::PORT;
use tokio::net::TcpStream;

/// The variables that name the endpoint of S3; that of one service goes before that of all
/// (AWS SDKs and Tools Reference Guide, "Service-specific endpoints").
const VARIABLES: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

/// The variable that has the others ignored.
const IGNORE: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";

/// The endpoint of S3 that the environment names, and the variable that does.
pub(crate) fn of_environment() -> Option<(&'static str, String)> {
    named(|name| std::env::var(name).ok())
}

fn named(variable: impl Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
    if variable(IGNORE).is_some_and(|v| v.eq_ignore_ascii_case("true")) {
        return None;
    }
    VARIABLES.into_iter().find_map(|name| Some((name, variable(name).filter(|v| !v.is_empty())?)))
}

/// Whether an emulator answers where none is named.
pub(crate) async fn is_somebody_there() -> bool {
    TcpStream::connect(("127.0.0.1", PORT)).await.is_ok()
}

/// The endpoint that the profile of the environment names in the files of the AWS command line.
pub(crate) async fn of_profile() -> Option<(&'static str, String)> {
    // with a region nobody is asked for one
    let config = aws_config::from_env().region("us-east-1").load().await;
    config.endpoint_url().map(|endpoint| ("endpoint_url of the AWS profile", endpoint.to_owned()))
}

/// The endpoint of an emulator that is there.
///
/// # Errors
/// Nobody answers there.
pub(crate) async fn of_running_emulator() -> anyhow::Result<String> {
    let named = match of_environment() {
        Some(named) => Some(named),
        None => of_profile().await,
    };
    let Some((name, endpoint)) = named else {
        if !is_somebody_there().await {
            bail!(
                "no emulator answers on port {PORT}: start one with `tidemill local`, or name a \
                 folder with --local DIR, or a bucket with --bucket NAME"
            );
        }
        return Ok(format!("http://127.0.0.1:{PORT}"));
    };
    let Some(address) = address(&endpoint) else {
        bail!("{name} is {endpoint}, which is no URL such as http://127.0.0.1:{PORT}");
    };
    if TcpStream::connect(&address).await.is_err() {
        bail!(
            "nobody answers at {endpoint}, where {name} says that the emulator is: start one there \
             with `tidemill local --port PORT`, or unset {name}, or name a folder with --local DIR"
        );
    }
    Ok(endpoint)
}

/// Host and port of a URL.
fn address(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme.to_ascii_lowercase().as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let host = rest.split(['/', '?']).next().filter(|host| !host.is_empty())?;
    let after_brackets = host.rsplit(']').next().unwrap_or_default();
    Some(if after_brackets.contains(':') { host.to_owned() } else { format!("{host}:{port}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_of_the_service_goes_before_that_of_all_unless_both_are_ignored() {
        let of = |set: &[(&str, &str)]| {
            let found = named(|name| {
                set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
            });
            found.map(|(_, endpoint)| endpoint)
        };
        let (all, s3) = (("AWS_ENDPOINT_URL", "http://a"), ("AWS_ENDPOINT_URL_S3", "http://s"));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[all]).as_deref(), Some("http://a"));
        assert_eq!(of(&[all, s3]).as_deref(), Some("http://s"));
        assert_eq!(of(&[all, ("AWS_ENDPOINT_URL_S3", "")]).as_deref(), Some("http://a"));
        assert_eq!(of(&[all, s3, (IGNORE, "true")]), None);
    }

    #[test]
    fn an_endpoint_has_a_host_and_a_port() {
        assert_eq!(address("http://127.0.0.1:4711").as_deref(), Some("127.0.0.1:4711"));
        assert_eq!(address("https://s3.example.com/x").as_deref(), Some("s3.example.com:443"));
        assert_eq!(address("http://[::1]").as_deref(), Some("[::1]:80"));
        assert_eq!(address("http://[::1]:99/").as_deref(), Some("[::1]:99"));
        for wrong in ["", "localhost:4566", "ftp://x", "http://"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
