//! What must hold for whatever stands in a configuration file: a refusal is one line that names the
//! file and shows no key, and what is taken comes to what flags of the same texts come to, and to
//! the same again when it is printed. Nothing here invents input.

use std::cell::RefCell;
use std::ffi::OsString;

use hookah::config::{Command, Config, Outside, ReadFile, Refusal, command};
use toml::de::{DeTable, DeValue};

thread_local! {
    static FILE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn run(file: &[u8], args: &[&str]) -> Result<Command, Refusal> {
    FILE.with(|it| *it.borrow_mut() = file.to_vec());
    let read: ReadFile = |_| FILE.with(|file| Ok(file.borrow().clone()));
    let outside = Outside {
        variables: vec![],
        descriptors: 4_096,
        inherited: vec![],
        read,
        reread: read,
    };
    let all = ["--config", "f.toml"].iter().chain(args);
    command(all.map(OsString::from), &outside)
}

/// The input is the file.
pub fn config_file(data: &[u8]) {
    match run(data, &[]) {
        Ok(Command::Serve(config)) => taken(data, &config),
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => refused(data, &refusal),
    }
}

fn taken(data: &[u8], config: &Config) {
    let text = std::str::from_utf8(data).expect("only text is taken");
    let shown = format!("{config:?}");
    let Ok(Command::Print(printed)) = run(data, &["config"]) else {
        panic!("it serves, and does not print");
    };
    // What is not printed is told so, and cannot be the same.
    if !printed.contains("not shown") {
        match run(printed.as_bytes(), &[]) {
            Ok(Command::Serve(again)) => assert_eq!(format!("{again:?}"), shown, "{printed}"),
            other => panic!("{other:?}: {printed}"),
        }
    }
    if let Some(flags) = as_flags(text) {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        match run(b"", &flags) {
            Ok(Command::Serve(same)) => assert_eq!(format!("{same:?}"), shown, "{flags:?}"),
            other => panic!("{flags:?}: {other:?}"),
        }
    }
}

/// The same as flags, if flags can say it.
fn as_flags(text: &str) -> Option<Vec<String>> {
    let table = DeTable::parse(text.trim_start_matches('\u{feff}')).expect("TOML");
    let mut flags = Vec::new();
    for (key, value) in table.get_ref() {
        let key = key.get_ref();
        let one = |value: &DeValue<'_>| match value {
            DeValue::String(text) => Some(format!("--{key}={text}")),
            DeValue::Integer(number) if number.radix() == 10 => {
                let number: i128 = number.as_str().parse().ok()?;
                Some(format!("--{key}={number}"))
            }
            DeValue::Boolean(on) => Some(format!("--{key}={on}")),
            _ => None,
        };
        match value.get_ref() {
            // A list that says none cannot be said by flags.
            DeValue::Array(list) if list.is_empty() => return None,
            DeValue::Array(list) => {
                for value in list.iter() {
                    flags.push(one(value.get_ref())?);
                }
            }
            other => flags.push(one(other)?),
        }
    }
    Some(flags)
}

fn refused(data: &[u8], refusal: &Refusal) {
    let said = refusal.to_string();
    assert!(!said.contains('\n'), "{said:?}");
    assert_eq!(refusal.exit_code, 78, "{said}");
    if let Some((_, rest)) = said.split_once("f.toml:") {
        let line: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let lines = 1 + data.iter().filter(|byte| **byte == b'\n').count();
        if let Ok(line) = line.parse::<usize>() {
            assert!((1..=lines).contains(&line), "{said}");
        }
    }
    let text = String::from_utf8_lossy(data);
    for word in text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
        let is_key = word.starts_with("whsec_") && word.len() > 10;
        assert!(!is_key || !said.contains(word), "{said} shows {word}");
    }
}
