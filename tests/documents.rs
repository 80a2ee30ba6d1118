//! The parts of the documents that are made from the program: with `TIDEMILL_BLESS=1` they are made anew.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use tidemill_api::ROUTES;

use crate::support::emulator::PROGRAM;

const BEGIN: &str = "<!-- made by `TIDEMILL_BLESS=1 cargo test documents` -->\n";
const END: &str = "<!-- end -->\n";

/// A page of the documents has this between its marks.
fn has(page: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(page);
    let text = std::fs::read_to_string(&path).expect(page);
    let (before, rest) = text.split_once(BEGIN).expect("a mark");
    let (inner, after) = rest.split_once(END).expect("a second mark");
    if std::env::var_os("TIDEMILL_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}")).expect("written");
        return;
    }
    assert!(inner == made, "TIDEMILL_BLESS=1 cargo test documents makes docs/reference/{page}");
}

fn help(command: &[&str]) -> String {
    let output = Command::new(PROGRAM)
        .args(command)
        .arg("--help")
        // clap wraps at the terminal's width
        .env_clear()
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{command:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

#[test]
fn the_command_line_is_described_as_it_is() {
    let mut made = format!("\n```text\n{}```\n", help(&[]));
    for name in commands(&help(&[])) {
        let text = help(&[&name]);
        write!(made, "\n## {name}\n\n```text\n{text}```\n").expect("text");
        for inner in commands(&text) {
            let text = help(&[&name, &inner]);
            write!(made, "\n### {name} {inner}\n\n```text\n{text}```\n").expect("text");
        }
    }
    made.push('\n');
    has("command-line.md", &made);
}

#[test]
fn the_routes_of_the_http_api_are_described_as_they_are() {
    let mut made = String::new();
    for route in ROUTES {
        write!(made, "\n### {}\n\n{}.\n", route.key(), route.summary).expect("text");
        let known = route.query.iter().map(|known| ("parameter", known));
        let known: Vec<_> = known.chain(route.headers.iter().map(|k| ("header", k))).collect();
        if known.is_empty() {
            continue;
        }
        made.push_str("\n| | | |\n|---|---|---|\n");
        for (kind, (name, what)) in known {
            writeln!(made, "| {kind} | `{name}` | {what} |").expect("text");
        }
    }
    made.push('\n');
    has("http-api.md", &made);
}
