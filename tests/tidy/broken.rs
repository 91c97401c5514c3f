//! Every law is broken here, line by line, beside what nearly breaks it: no law can go blind.
//! Nothing here looks at the project itself.

use crate::imports::wrong_imports;
use crate::laws::*;
use crate::source::Source;

/// Marks a line that the law must report.
const MARK: &str = "// <-";

/// Fails unless `law` reports exactly the marked lines of `text`.
fn breaks(law: impl Fn(&Source) -> Vec<String>, path: &str, text: &str) {
    let text = text.trim_start();
    let marked = |(number, line): (usize, &str)| {
        let count = line.matches(MARK).count();
        vec![format!("{path}:{}: ", number + 1); count]
    };
    let expected: Vec<String> = text.lines().enumerate().flat_map(marked).collect();
    let reports = law(&Source::new(path, text));
    let is_same = reports.len() == expected.len()
        && reports
            .iter()
            .zip(&expected)
            .all(|(report, start)| report.starts_with(start));
    assert!(is_same, "{path}:\n{text}\nreported: {reports:#?}");
}

#[test]
fn lengths() {
    let lines = |count: usize| "x();\n".repeat(count);
    breaks(long_files, "tests/x.rs", &lines(500));
    breaks(
        long_files,
        "tests/x.rs",
        &format!("{}x(); {MARK}\n", lines(500)),
    );
    breaks(
        long_functions,
        "src/hub/x.rs",
        &format!("fn f() {{\n{}}}\n", lines(58)),
    );
    breaks(
        long_functions,
        "src/hub/x.rs",
        &format!("pub fn f() {{ {MARK}\n{}}}\n", lines(59)),
    );
    breaks(
        long_functions,
        "tests/x.rs",
        &format!("mod m {{\nfn f( {MARK}\n) {{\n{}}}}}\n", lines(58)),
    );
    breaks(long_lines, "benches/x.rs", &"é".repeat(100));
    breaks(
        long_lines,
        "benches/x.rs",
        &format!("x();\n{}{MARK}", "é".repeat(96)),
    );
}

#[test]
fn heads_and_ends() {
    breaks(missing_heads, "src/hub/x.rs", "//! Head.\n");
    breaks(missing_heads, "src/hub/x.rs", "//// <-\n//! Head.\n");
    breaks(missing_heads, "tests/x.rs", "use std::fs; // <-\n");
    assert_eq!(missing_heads(&Source::new("src/hub/x.rs", "")).len(), 1);
    let tests = "fn f() {}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
    breaks(early_tests, "src/hub/x.rs", tests);
    breaks(
        early_tests,
        "src/hub/x.rs",
        &format!("{tests}\n// The end.\n"),
    );
    breaks(
        early_tests,
        "src/hub/x.rs",
        &format!("{tests}\nfn h() {{}} // <-\nfn i() {{}}\n"),
    );
    breaks(early_tests, "src/hub/x.rs", "#[cfg(test)]\nmod tests;\n");
    breaks(
        early_tests,
        "src/hub/x.rs",
        "#[cfg(test)]\nmod tests;\n\nfn f() {} // <-\n",
    );
}

#[test]
fn clocks_and_sockets() {
    let text = r#"
        use std::time::{Duration, Instant}; // <-
        use std::time::Duration; // no Instant
        let now = std::time::SystemTime::now(); // <-
        let text = "SystemTime";
        let instant = Instants;
        #[cfg(test)]
    "#;
    breaks(|source| CLOCKS.broken(source), "src/conn/x.rs", text);
    breaks(
        |source| CLOCKS.broken(source),
        "src/shell/x.rs",
        "use std::time::Instant;",
    );
    let text = "
        use std::{io, thread}; // <-
        use mio::Token; // <-
        use std::net::{IpAddr, SocketAddr};
        std::net::TcpStream::connect(x); // <-
        libc::getpid(); // <-
        let threads = 1;
    ";
    breaks(|source| SOCKETS.broken(source), "src/engine/x.rs", text);
    breaks(
        |source| SOCKETS.broken(source),
        "src/store/x.rs",
        "std::thread::spawn(f)",
    );
    breaks(
        |source| SOCKETS.broken(source),
        "tests/x.rs",
        "std::thread::spawn(f)",
    );
}

#[test]
fn maps_panics_and_unsafe_code() {
    let text = "
        use std::collections::{BTreeMap, HashSet}; // <-
        let map = HashMap::new(); // <-
    ";
    breaks(|source| MAPS.broken(source), "src/hub/x.rs", text);
    breaks(
        |source| MAPS.broken(source),
        "src/base/index.rs",
        "use std::collections::HashMap;",
    );
    let text = r#"
a.unwrap(); // <-
b
    .expect("c"); // <-
panic!("d"); // <-
todo!(); unimplemented!(); // <- // <-
dbg!(e); // <-
f.unwrap_or(g).unwrap_or_default(); // panic!
assert!(h, "unwrap() panic!");
#[cfg(test)]
mod tests {
    a.unwrap();
}
"#;
    breaks(|source| PANICS.broken(source), "src/hub/x.rs", text);
    breaks(|source| PANICS.broken(source), "tests/x.rs", "a.unwrap()");
    breaks(
        |source| UNSAFE.broken(source),
        "src/shell/turn.rs",
        "unsafe { x } // <-",
    );
    breaks(
        |source| UNSAFE.broken(source),
        "src/shell/sys.rs",
        "unsafe { x }",
    );
    breaks(
        |source| UNSAFE.broken(source),
        "src/lib.rs",
        "#![deny(unsafe_code)]",
    );
}

#[test]
fn tests_that_wait_or_do_not_run() {
    let text = "
        use std::thread::sleep; // <-
        sleep(x); // <-
        asleep(x);
        let sleep = 1;
    ";
    breaks(|source| SLEEPS.broken(source), "tests/x.rs", text);
    breaks(|source| SLEEPS.broken(source), "src/shell/x.rs", text);
    breaks(
        |source| SLEEPS.broken(source),
        "tests/checks/x.rs",
        "sleep(x)",
    );
    let text = r#"
        #[ignore = "slow"] // <-
        #[ignore] // <-
        #[cfg_attr(x, ignore)] // <-
        fn ignore() {}
    "#;
    breaks(|source| IGNORED.broken(source), "tests/x.rs", text);
}

#[test]
fn notes_and_stubs() {
    let note = concat!("// TO", "DO: x");
    breaks(
        notes_for_later,
        "src/hub/x.rs",
        &format!("let todo = 1;\n{note} {MARK}\n"),
    );
    let stub = concat!("To be ", "written.");
    breaks(
        stubs,
        "src/hub/x.rs",
        &format!("//! {stub} {MARK}\n//! Bytes to be written.\n"),
    );
}

#[test]
fn imports_against_the_order() {
    for (path, text) in [
        (
            "src/http/head.rs",
            "use crate::base::buf::Buf;\nuse crate::http::problem;",
        ),
        ("src/http/head.rs", "use crate::conn::Limits; // <-"),
        (
            "src/base/x.rs",
            "fn f() { crate::model::g(); crate::port::h() } // <- // <-",
        ),
        (
            "src/hub/mod.rs",
            "use crate::{\n    base::x,\n    dispatch::{y, z}, // <-\n};",
        ),
        (
            "src/hub/mod.rs",
            "use crate::{model::{A, conn}, courier, conn::B}; // <-",
        ),
        ("src/port.rs", "use crate::model::{Message, engine};"),
        ("src/model.rs", "use crate::port::Action; // <-"),
        ("src/store/sqlite.rs", "use crate::{port, http}; // <-"),
        ("src/engine/mod.rs", "use crate::store::Memory; // <-"),
        (
            "src/shell/mod.rs",
            "use crate::store::Memory;\nuse crate::engine;",
        ),
        (
            "src/config/mod.rs",
            "use crate::{self as root, shell, store};",
        ),
        ("src/shell/mod.rs", "use crate::config::Config; // <-"),
        ("src/conn/mod.rs", "crate::bug!(x);"),
        ("src/conn/mod.rs", "use crate::nowhere; // <-"),
        (
            "src/conn/mod.rs",
            "macro_rules! m { () => { $crate::engine::x } } // <-",
        ),
        ("src/conn/a/b.rs", "use super::super::c; // <-"),
        ("src/conn/a/b.rs", "// use crate::engine;\nuse super::c;"),
        ("src/lib.rs", "pub use crate::engine;"),
        ("tests/sim/main.rs", "use crate::engine;"),
    ] {
        breaks(wrong_imports, path, text);
    }
}

#[test]
fn rooms_are_named_by_their_paths() {
    let rooms = || {
        ["base/", "model.rs", "lib.rs", "hub/"]
            .map(String::from)
            .into_iter()
    };
    assert_eq!(
        unnamed_rooms("base/ is matter, model the nouns", rooms()),
        ["model.rs", "hub/"]
    );
    assert!(unnamed_rooms("`base/`, `model.rs` and `hub/`", rooms()).is_empty());
}
