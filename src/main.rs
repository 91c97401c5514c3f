//! The `hookah` command: its arguments in, its exit code out.
//! It decides nothing; the rooms of the library do.
#![deny(unsafe_code, missing_docs)]

use std::env;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use hookah::base::exit::Exit;
use hookah::client::meter::{Meter, coloured};
use hookah::config::{self, Command, Outside};
use hookah::http::target;
use hookah::{client, shell, store};

fn main() -> ExitCode {
    let inherited = shell::inherit();
    let descriptors = shell::raise_descriptors();
    let outside = Outside {
        variables: env::vars_os().collect(),
        descriptors,
        inherited: inherited.listeners(),
        read: shell::read_config,
        reread: shell::reread_config,
    };
    let config = match config::command(env::args_os().skip(1), &outside) {
        Ok(Command::Serve(config)) => config,
        Ok(Command::Check(name)) => return check(&name),
        Ok(Command::Token(name, rights)) => return new_token(&name, &rights),
        Ok(Command::Client(errand)) => return talk(errand.0, errand.1),
        Ok(Command::Print(text)) => {
            // A reader that has seen enough, such as `head`, is no failure.
            let _ = io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(refusal) => return fail(&refusal, refusal.exit_code),
    };
    shell::start_log(&config.log, config.shell.log_format);
    let format = config.shell.log_format;
    match shell::run(
        &config.shell,
        config.engine,
        inherited,
        Box::new(config.live),
    ) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let exit_code = failure.exit_code();
            let words = shell::failed(format, &failure.to_string(), exit_code);
            let _ = io::stderr().write_all(words.as_bytes());
            ExitCode::from(exit_code)
        }
    }
}

/// Says what is in a store, and whether all of it is as it was written.
fn check(name: &str) -> ExitCode {
    let mut meter = Meter::new();
    let is_seen = meter.is_seen();
    let mut told = |what: &str, count: u64, all: u64| match all {
        0 => meter.show(what),
        all => meter.show(format_args!("{what}: {}% of {all}", count * 100 / all)),
    };
    let told: store::Told<'_> = if is_seen { Some(&mut told) } else { None };
    let checked = store::check(name, target::kept, told);
    meter.clear();
    match checked {
        Ok(checked) => {
            let (text, is_sound) = (checked.text, checked.is_sound);
            // The last line is the verdict.
            let (found, verdict) = text.trim_end().rsplit_once('\n').unwrap_or(("", &text));
            let verdict = coloured(verdict.trim_end(), is_sound);
            let line_end = if found.is_empty() { "" } else { "\n" };
            let _ = writeln!(io::stdout(), "{found}{line_end}{verdict}");
            let exit = if is_sound { Exit::Done } else { Exit::Io };
            ExitCode::from(exit.code())
        }
        Err(refusal) => fail(&refusal.why, refusal.exit.code()),
    }
}

/// Talks to a server as its client.
fn talk(settings: client::Settings, job: client::Job) -> ExitCode {
    match client::run(settings, job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.text.is_empty() => ExitCode::from(failure.exit.code()),
        Err(failure) => fail(&failure.text, failure.exit.code()),
    }
}

/// Makes a token: the line to store goes to stdout and the secret, this once, to stderr.
fn new_token(name: &str, rights: &[String]) -> ExitCode {
    let minted = match shell::new_token(name, rights) {
        Ok(minted) => minted,
        Err(failure) => return fail(&failure, failure.exit_code()),
    };
    // A secret whose line is stored nowhere is of no use to anybody.
    let stored = writeln!(io::stdout(), "{}", minted.line).and_then(|()| io::stdout().flush());
    if let Err(why) = stored {
        return fail(
            &format_args!("the line could not be written: {why}"),
            Exit::Io.code(),
        );
    }
    let secret = minted.secret;
    let _ = writeln!(
        io::stderr(),
        "{secret}\n\nThis is the secret of {name}; it is shown this once. The line on stdout is \
         for the file of --tokens.\ntry: curl -H 'Authorization: Bearer {secret}' \
         http://127.0.0.1:8080/lanes"
    );
    ExitCode::SUCCESS
}

/// Says what is wrong in one line.
fn fail(what: &dyn Display, exit_code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "hookah: {what}");
    ExitCode::from(exit_code)
}
