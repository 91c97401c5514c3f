//! A second opinion on /metrics: Prometheus' text format 0.0.4, read strictly. It shares nothing
//! with the writer. Whatever the format does not allow is a panic that shows the line.

use std::collections::BTreeMap;

/// A sample's whole name, its labels in their order, its value.
pub type Sample = (String, Vec<(String, String)>, f64);

/// One metric with all its samples.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    pub help: String,
    pub samples: Vec<Sample>,
}

/// Reads a whole page: each metric has one HELP and one TYPE in front of its samples, which stand
/// together; histograms are complete and consistent.
pub fn read(text: &str) -> BTreeMap<String, Family> {
    assert!(text.ends_with('\n'), "the last line has no end");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect(line);
            assert!(is_name(name, true), "{line}");
            current = name.to_owned();
            let family = Family {
                help: help.to_owned(),
                ..Family::default()
            };
            let before = families.insert(current.clone(), family);
            assert!(before.is_none(), "a metric in two places: {line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert_eq!(name, current, "TYPE does not follow its HELP: {line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            let family = families.get_mut(name).expect(line);
            assert!(
                family.kind.is_empty() && family.samples.is_empty(),
                "{line}"
            );
            family.kind = kind.to_owned();
        } else {
            assert!(!line.starts_with('#') && !line.is_empty(), "{line:?}");
            let family = families.get_mut(&current).expect(line);
            let sample = sample(line);
            assert!(belongs(&sample.0, &current, &family.kind), "{line}");
            family.samples.push(sample);
        }
    }
    for (name, family) in &families {
        assert!(
            !family.kind.is_empty() && !family.samples.is_empty(),
            "{name}"
        );
        if family.kind == "histogram" {
            check_histogram(name, family);
        }
    }
    families
}

fn belongs(sample: &str, name: &str, kind: &str) -> bool {
    let Some(rest) = sample.strip_prefix(name) else {
        return false;
    };
    match kind {
        "histogram" => ["_bucket", "_sum", "_count"].contains(&rest),
        _ => rest.is_empty(),
    }
}

fn is_name(name: &str, colons: bool) -> bool {
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '_' || (colons && it == ':');
    name.chars().all(plain) && !name.is_empty() && !name.starts_with(|it: char| it.is_ascii_digit())
}

/// `name{label="value",…} number`, without a time.
fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).expect(line);
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name, true), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").expect(line);
            assert!(is_name(label, false), "{line}");
            let (value, after) = quoted(after, line);
            labels.push((label.to_owned(), value));
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => {
                    rest = after.strip_prefix('}').expect(line);
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ').expect(line);
    assert!(
        !value.contains(' '),
        "one space, one value, no time: {line}"
    );
    let value = value.replace("+Inf", "inf").parse().expect(line);
    (name.to_owned(), labels, value)
}

/// A label's value up to its closing quote, and what follows.
fn quoted<'a>(text: &'a str, line: &str) -> (String, &'a str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &text[at + 1..]),
            '\\' => match chars.next().expect(line).1 {
                'n' => value.push('\n'),
                plain @ ('\\' | '"') => value.push(plain),
                other => panic!("no escape: {other:?} in {line}"),
            },
            plain => value.push(plain),
        }
    }
    panic!("no end of the value: {line}")
}

fn check_histogram(name: &str, family: &Family) {
    let (mut bound, mut count) = (f64::NEG_INFINITY, 0.0);
    let (mut sums, mut counts) = (0, Vec::new());
    for (sample, labels, value) in &family.samples {
        match sample.strip_prefix(name).unwrap_or_default() {
            "_bucket" => {
                let [(label, le)] = &labels[..] else {
                    panic!("{name}: {labels:?}");
                };
                assert_eq!(label, "le");
                let le: f64 = le.replace("+Inf", "inf").parse().expect(le);
                assert!(le > bound && *value >= count, "{name}: le={le} {value}");
                (bound, count) = (le, *value);
            }
            "_sum" => sums += 1,
            _ => counts.push(*value),
        }
    }
    assert!(bound.is_infinite(), "{name}: no bucket for the rest");
    assert_eq!((sums, counts), (1, vec![count]), "{name}");
}
