//! Every row of the wire fixtures, whole, byte by byte, and cut in two at every place: the result
//! is the same, and it is the one that the row says. The fixtures' form is told in
//! `wire/README.md`.

#[path = "fuzz/drive.rs"]
mod drive;

use drive::Log;

struct Case {
    place: String,
    to_head: bool,
    input: Vec<u8>,
    expected: Log,
}

/// Inputs up to this length are cut at every place, longer ones at about as many.
const CUTS_MAX: usize = 2048;

#[test]
fn requests() {
    check("requests.txt", 150, |pieces, _| drive::requests(pieces));
}

#[test]
fn chunked_bodies() {
    check("chunked.txt", 50, |pieces, _| drive::chunked(pieces));
}

#[test]
fn responses() {
    check("responses.txt", 60, |pieces, case| {
        drive::responses(pieces, case.to_head)
    });
}

fn check(file: &str, cases_min: usize, run: impl Fn(&[&[u8]], &Case) -> Log) {
    let cases = read(file);
    assert!(
        cases.len() >= cases_min,
        "{file} has only {} cases",
        cases.len()
    );
    let mut wrong = Vec::new();
    for case in &cases {
        let whole = run(&[&case.input], case);
        let short: Log = whole.iter().map(|line| shorten(line)).collect();
        if short != case.expected {
            wrong.push(format!(
                "{}\n  want {:?}\n  have {short:?}",
                case.place, case.expected
            ));
            continue;
        }
        let bytes: Vec<&[u8]> = case.input.chunks(1).collect();
        assert_eq!(run(&bytes, case), whole, "{}, byte by byte", case.place);
        for cut in (1..case.input.len()).step_by(case.input.len().div_ceil(CUTS_MAX)) {
            let (left, right) = case.input.split_at(cut);
            assert_eq!(
                run(&[left, right], case),
                whole,
                "{}, cut at {cut}",
                case.place
            );
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// A long fact as its beginning and its length, so that a row stays readable.
fn shorten(line: &str) -> String {
    match line.get(..60) {
        Some(start) if line.len() > 120 => format!("{start}... {}", line.len()),
        _ => line.to_owned(),
    }
}

fn read(file: &str) -> Vec<Case> {
    let path = format!("{}/tests/wire/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("a fixture file");
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{file}:{}", number + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match (line.split_at_checked(2), cases.last_mut()) {
            (Some(("> ", bytes)), Some(case)) => case.input.extend(unescape(bytes, &place)),
            (Some(("= ", fact)), Some(case)) => case.expected.push(fact.to_owned()),
            (Some(("@ ", "head")), Some(case)) => case.to_head = true,
            _ => cases.push(Case {
                place: format!("{place}: {line}"),
                to_head: false,
                input: Vec::new(),
                expected: Log::new(),
            }),
        }
    }
    for case in &cases {
        assert!(
            !case.input.is_empty() && !case.expected.is_empty(),
            "{}",
            case.place
        );
    }
    cases
}

fn unescape(text: &str, place: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let kind = escape.chars().next();
        let mut len = 1;
        match kind {
            Some('r') => bytes.push(b'\r'),
            Some('n') => bytes.push(b'\n'),
            Some('t') => bytes.push(b'\t'),
            Some('\\') => bytes.push(b'\\'),
            Some('x') => {
                len = 3;
                let digits = escape
                    .get(1..3)
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok());
                bytes.push(digits.unwrap_or_else(|| panic!("{place}: bad \\x")));
            }
            Some('{') => {
                let inner = escape.split_once('}').map(|(inner, _)| inner);
                let inner = inner.unwrap_or_else(|| panic!("{place}: no }}"));
                let (times, unit) = inner[1..].split_once('*').expect("a number, *, a text");
                let unit = unescape(unit, place);
                bytes.extend(unit.repeat(times.parse().expect("a number of times")));
                len = inner.len() + 1;
            }
            _ => panic!("{place}: unknown escape"),
        }
        rest = &escape[len..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
