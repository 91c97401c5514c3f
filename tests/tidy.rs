//! The laws of the project that a machine can hold, each a test that names every place at once.
//! It judges no style beyond them: rustfmt and clippy do.

use std::fs;
use std::path::Path;

#[path = "tidy/broken.rs"]
mod broken;
#[path = "tidy/events.rs"]
mod events;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/laws.rs"]
mod laws;
#[path = "tidy/source.rs"]
mod source;

use laws::{CLOCKS, IGNORED, MAPS, PANICS, SLEEPS, SOCKETS, UNSAFE};
use source::Source;

#[test]
fn files_are_short() {
    hold(laws::long_files);
}

#[test]
fn functions_are_short() {
    hold(laws::long_functions);
}

#[test]
fn lines_are_short() {
    hold(laws::long_lines);
}

#[test]
fn files_begin_by_saying_what_they_are() {
    hold(laws::missing_heads);
}

#[test]
fn tests_stand_last() {
    hold(laws::early_tests);
}

#[test]
fn imports_go_one_way() {
    hold(imports::wrong_imports);
}

/// The table of the throttle holds so many; whatever comes beyond shares a place with others, and
/// one of them could keep the others out. `log`, `log_limited` and the like count, too.
#[test]
fn every_event_of_the_log_is_counted_apart() {
    const ROOM: usize = 96 - 4;
    let mut all = std::collections::BTreeMap::new();
    for source in source::all() {
        if source.path.starts_with("src/") {
            all.extend(events::events(&source));
        }
    }
    assert!(all.len() > 50, "the calls are not found: {all:?}");
    assert!(!all.contains_key(""), "{} names no event", all[""]);
    assert!(
        all.len() <= ROOM,
        "{} events; see src/shell/throttle.rs",
        all.len()
    );
}

#[test]
fn clocks_are_in_shell_store_and_client_alone() {
    hold(|source| CLOCKS.broken(source));
}

#[test]
fn sockets_and_threads_are_in_shell_store_and_client_alone() {
    hold(|source| SOCKETS.broken(source));
}

#[test]
fn the_hash_map_is_in_index_alone() {
    hold(|source| MAPS.broken(source));
}

#[test]
fn nothing_panics_outside_tests() {
    hold(|source| PANICS.broken(source));
}

#[test]
fn unsafe_code_is_in_sys_alone() {
    hold(|source| UNSAFE.broken(source));
}

#[test]
fn no_test_waits() {
    hold(|source| SLEEPS.broken(source));
}

#[test]
fn no_test_is_ignored() {
    hold(|source| IGNORED.broken(source));
}

#[test]
fn nothing_is_left_for_later() {
    hold(laws::notes_for_later);
}

#[test]
fn no_file_is_a_stub() {
    hold(laws::stubs);
}

#[test]
fn the_architecture_names_every_room() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let text = fs::read_to_string(folder.join("ARCHITECTURE.md")).expect("the architecture");
    let rooms = fs::read_dir(folder).expect("src").map(|entry| {
        let path = entry.expect("an entry of src").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name in UTF-8");
        if path.is_dir() {
            format!("{name}/")
        } else {
            name.to_owned()
        }
    });
    let missing = laws::unnamed_rooms(&text, rooms);
    assert!(
        missing.is_empty(),
        "src/ARCHITECTURE.md does not say what these are: {missing:?}"
    );
}

/// Fails with every place in the project where `law` is broken.
fn hold(law: fn(&Source) -> Vec<String>) {
    let reports: Vec<String> = source::all().iter().flat_map(law).collect();
    assert!(reports.is_empty(), "\n{}\n", reports.join("\n"));
}
