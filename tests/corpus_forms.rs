//! Runs the checks of forms over every file of their corpora, so that plain `cargo test` needs no
//! fuzzer. Whatever a fuzzer finds becomes a file there.

#[path = "fuzz/checks_forms.rs"]
mod checks_forms;

use std::path::Path;

fn run(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the corpus") {
        let path = entry.expect("an entry").path();
        let data = std::fs::read(&path).expect("a file");
        println!("{}", path.display());
        // Every beginning too: a body that was cut short must fail, never panic.
        (0..=data.len()).for_each(|len| check(&data[..len]));
        count += 1;
    }
    assert!(count >= 10, "{target} has only {count} seeds");
}

#[test]
fn urlencoded() {
    run("urlencoded", checks_forms::urlencoded);
}

#[test]
fn multipart() {
    run("multipart", checks_forms::multipart);
}
