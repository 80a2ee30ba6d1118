//! The files of `console/`: they are in the program, so that pages and reports need nothing beside it.

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../console/", $name)))),*]
    };
}

/// All files that pages and reports are made of.
const FILES: &[(&str, &str)] = files![
    "api.js",
    "app.css",
    "app.js",
    "bars.js",
    "errors.js",
    "format.js",
    "gauge.js",
    "graph.js",
    "icon.svg",
    "index.html",
    "limits.js",
    "live.js",
    "picture.js",
    "pipelines.js",
    "query.js",
    "report.files",
    "report.html",
    "report.js",
    "request.js",
    "results.js",
    "router.js",
    "run.js",
    "runs.js",
    "stages.js",
    "summary.js",
    "tables.js",
    "timeline.js",
    "ui.js",
    "vendor/preact.js",
];

/// The text of a file.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// What a path of the server leads to, with its type.
pub(super) fn find(path: &str) -> Option<(&'static str, &'static str)> {
    let name = path.trim_start_matches('/');
    let name = if name.is_empty() { "index.html" } else { name };
    let content_type = match name.rsplit('.').next()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    };
    text(name).map(|text| (content_type, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_pages_is_in_the_program() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../console");
        for folder in [folder.to_owned(), format!("{folder}/vendor")] {
            for entry in std::fs::read_dir(&folder).expect("the folder").flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_page = ["js", "css", "html", "svg", "files"]
                    .iter()
                    .any(|extension| name.ends_with(&format!(".{extension}")));
                if !is_page {
                    continue;
                }
                let name = match folder.ends_with("vendor") {
                    true => format!("vendor/{name}"),
                    false => name,
                };
                assert!(text(&name).is_some(), "console/{name} is not served");
            }
        }
    }
}
