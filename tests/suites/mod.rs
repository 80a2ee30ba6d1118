//! Public SQL test files that are not in the repository.
//!
//! `TIDEMILL_SLT` names a sqllogictest file or a folder of them. Their statements run in a plain
//! DataFusion session; each query also in Tidemill, over the same tables as Parquet files. What
//! the files themselves say of the results is not looked at.

mod judge;
mod player;
mod records;

use std::path::{Path, PathBuf};

use player::Player;

#[tokio::test(flavor = "multi_thread")]
async fn public_suites_give_the_rows_of_one_process() {
    let Ok(place) = std::env::var("TIDEMILL_SLT") else {
        println!("TIDEMILL_SLT names no file: nothing is run");
        return;
    };
    let mut wrong = 0;
    for file in files(Path::new(&place)) {
        let mut player = Player::new(root(&file));
        for record in records::read(&file) {
            player.play(record).await;
        }
        println!("{}: {}", file.display(), player.summary);
        wrong += player.summary.wrong();
    }
    assert_eq!(wrong, 0, "queries with other rows, or with none");
}

fn files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let entries = std::fs::read_dir(place).expect("a file or a folder");
    let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    let is_suite = |p: &Path| p.extension().is_some_and(|e| e == "slt" || e == "test");
    let below = |p: &PathBuf| match p.is_dir() {
        true => files(p),
        false => Some(p.clone()).filter(|p| is_suite(p)).into_iter().collect(),
    };
    paths.iter().flat_map(below).collect()
}

/// What the paths in a file are relative to: the folder that holds all tests, or the file's own.
fn root(file: &Path) -> PathBuf {
    let mut above = file.ancestors().skip(1);
    let tests = above.find(|a| a.ends_with("test_files") || a.ends_with("test"));
    let folder = tests.and_then(Path::parent).or(file.parent());
    std::path::absolute(folder.unwrap_or(Path::new("."))).expect("a folder")
}
