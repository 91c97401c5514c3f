//! Runs what the fuzz targets check over every file of their corpus, so that plain `cargo test`
//! needs no fuzzer. Whatever a fuzzer finds becomes a file there.

#[path = "fuzz/checks.rs"]
mod checks;

use std::path::Path;

#[test]
fn every_file_of_every_corpus_passes_its_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let mut known = 0;
    for (target, check) in checks::TARGETS {
        let folder = root.join(target);
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        assert!(files.len() >= 10, "{target} has only {} seeds", files.len());
        for file in files {
            let data = std::fs::read(&file).expect("a file");
            if std::panic::catch_unwind(|| check(&data)).is_err() {
                panic!("{} breaks {target}'s rule (said above)", file.display());
            }
        }
        known += 1;
    }
    let folders = std::fs::read_dir(&root).expect("the corpus").count();
    assert_eq!(
        folders, known,
        "a folder in the corpus that no target reads"
    );
}
