//! The flags of `send` and `tail`: one row each, for reading them and for their pages of help.
//! It opens no file; what a value names is the client's concern.

use std::ffi::OsString;
use std::fmt::Write;
use std::time::Duration;

use lexopt::{Arg, Parser};

use super::subcommands::Subcommand;
use super::text::nearest_of;
use super::{Refusal, Variable, Wanted};
use crate::base::exit::Exit;
use crate::base::units::{DURATION_FORM, parse_duration};
use crate::client::send::{Body, Order};
use crate::client::tail::{Shown, Wish};
use crate::client::{Job, Server, Settings, Token};
use crate::dispatch::options::{self, Place};
use crate::http::field::{is_token, is_value};
use crate::http::form;

/// The server that is talked to unless it is said otherwise.
const SERVER: &str = "http://127.0.0.1:8080";
/// Where the explanations begin.
const COLUMN: usize = 27;

/// What the flags of either come to.
#[derive(Default)]
struct Given {
    words: Vec<String>,
    server: Option<String>,
    token_file: Option<String>,
    ca_file: Option<String>,
    retry_for: Option<Duration>,
    order: Order,
    form: Vec<String>,
    wish: Wish,
    begin: Vec<&'static str>,
}

/// A flag.
struct Flag {
    short: Option<char>,
    key: &'static str,
    /// What its value is, in a word; empty if it has none, `[=TIME]` if it may have none.
    value: &'static str,
    help: &'static str,
    set: Set,
}

/// Sets what a flag says. The error is what is wrong with the value, and what is allowed.
type Set = fn(&mut Given, &str) -> Result<(), String>;

macro_rules! flags {
    ($name:ident: $($short:expr, $key:literal, $value:literal, $help:literal, $set:expr;)+) => {
        const $name: &[Flag] = &[$(Flag {
            short: $short, key: $key, value: $value, help: $help, set: $set,
        },)+];
    };
}

flags! { SEND:
    Some('d'), "data", "K=V|@FILE|@-", "a form's field, repeated; or a body", data;
    None, "json", "TEXT|@FILE|@-", "a body of JSON", json;
    Some('H'), "header", "NAME:VALUE", "for the target; Content-Type is the body's", header;
    Some('o'), "option", "NAME=VALUE", "one of the server's options: -o delay=1m", option;
    None, "lines", "", "each line of stdin is a message of its own", |given, _| {
        given.order.lines = true;
        Ok(())
    };
    None, "wait", "[=TIME]", "until it has ended, and say how", |given, text| {
        let time = (!text.is_empty()).then(|| duration(text)).transpose()?;
        given.order.wait = Some(time);
        Ok(())
    };
}

flags! { TAIL:
    None, "prefix", "TEXT", "all topics that begin so, too", |given, text| {
        choose(given, "prefix", text);
        Ok(())
    };
    None, "where", "FIELD=VALUE", "only messages whose field is that; repeated", |given, text| {
        let (field, value) = text.split_once('=').ok_or("has no value; allowed: FIELD=VALUE")?;
        choose(given, &format!("where.{field}"), value);
        Ok(())
    };
    None, "since", "WHEN", "all, 10m, unix seconds or a message's id", |given, text| {
        begin(given, "since", text)
    };
    None, "count", "N", "first the last N that are kept", |given, text| begin(given, "count", text);
    None, "limit", "N", "ends after N messages", |given, text| {
        let number = text.parse().ok().filter(|it| *it > 0);
        given.wish.limit = Some(number.ok_or("is not a number; allowed: 1 or more")?);
        Ok(())
    };
    None, "format", "raw|json", "the body, or a line of JSON about it [raw]", |given, text| {
        given.wish.shown = match text {
            "raw" => Shown::Raw,
            "json" => Shown::Json,
            _ => return Err("is not allowed; allowed: raw, json".to_owned()),
        };
        Ok(())
    };
}

flags! { BOTH:
    None, "server", "URL", "or HOOKAH_SERVER [http://127.0.0.1:8080]; unix:PATH", |given, text| {
        given.server = Some(text.to_owned());
        Ok(())
    };
    None, "token-file", "FILE", "whose first line is a token; or HOOKAH_TOKEN", |given, text| {
        given.token_file = Some(text.to_owned());
        Ok(())
    };
    None, "ca-file", "FILE", "PEM of authorities to trust besides the usual", |given, text| {
        given.ca_file = Some(text.to_owned());
        Ok(())
    };
    None, "retry-for", "TIME", "how long to try while the server is away [10s]", |given, text| {
        given.retry_for = Some(duration(text)?);
        Ok(())
    };
}

/// The page of that subcommand.
fn help(word: &str) -> String {
    Subcommand::find(word).map_or_else(String::new, Subcommand::page)
}

/// Reads the arguments of `hookah send`.
pub(super) fn send(parser: Parser, variable: &Variable<'_>) -> Result<Wanted, Refusal> {
    let Some(mut given) = read(parser, "send", SEND)? else {
        return Ok(Wanted::Text(help("send")));
    };
    let refuse = |why: &str| Err(Refusal::of("send", why));
    if let [_, second] = &given.words[..]
        && given.order.wait == Some(None)
        && duration(second).is_ok()
    {
        let text = format_args!("{second:?} is a word too many; did you mean --wait={second}?");
        return Err(Refusal::of("send", text));
    }
    let [target] = &given.words[..] else {
        return refuse("needs one target; allowed: an http URL, or the name of a topic");
    };
    if !is_text(target) {
        return refuse("the target is empty or has control characters");
    }
    if target.trim() != target {
        return refuse("the target begins or ends with white space");
    }
    given.order.target = target.clone();
    if !given.form.is_empty() {
        if given.order.body != Body::Piped {
            return refuse("-d K=V does not go with another body");
        }
        given.order.body = Body::Form(given.form.join("&"));
    }
    if given.order.lines && given.order.body != Body::Piped {
        return refuse("--lines reads stdin and does not go with another body");
    }
    let order = std::mem::take(&mut given.order);
    let settings = given.settings("send", variable)?;
    Ok(Wanted::Client(Box::new((settings, Job::Send(order)))))
}

/// Reads the arguments of `hookah tail`.
pub(super) fn tail(parser: Parser, variable: &Variable<'_>) -> Result<Wanted, Refusal> {
    let Some(mut given) = read(parser, "tail", TAIL)? else {
        return Ok(Wanted::Text(help("tail")));
    };
    for topic in std::mem::take(&mut given.words) {
        choose(&mut given, "topic", &topic);
    }
    let wish = std::mem::take(&mut given.wish);
    if wish.choice.is_empty() {
        return Err(Refusal::of("tail", "needs a topic, or --prefix"));
    }
    if given.begin.len() > 1 {
        return Err(Refusal::of(
            "tail",
            "--since and --count do not go together",
        ));
    }
    let settings = given.settings("tail", variable)?;
    Ok(Wanted::Client(Box::new((settings, Job::Tail(wish)))))
}

/// Appends the flags of `send`, and what it ends with.
pub(super) fn send_page(out: &mut String) {
    out.push_str(
        "\nTARGET is an http or https URL, or without :// the name of a topic. The body is what\n\
         -d or --json say, or else stdin, if that is no terminal. The message's id is printed.\n\n",
    );
    page(SEND, out);
}

/// Appends the flags of `tail`, and what it ends with.
pub(super) fn tail_page(out: &mut String) {
    out.push_str(
        "\nPrints what is published, a line each, and comes back after a break where it was,\n\
         for as long as it takes; what is missing is said on stderr. It ends with 0 when\n\
         nobody reads its output any more.\n\n",
    );
    page(TAIL, out);
}

fn page(own: &[Flag], out: &mut String) {
    for flag in own.iter().chain(BOTH) {
        let short = flag.short.map_or(String::new(), |it| format!("-{it} "));
        let space = if flag.value.starts_with('[') { "" } else { " " };
        let name = format!("  {short}--{}{space}{}", flag.key, flag.value);
        // A String takes whatever is written to it.
        let _ = writeln!(out, "{name:COLUMN$} {}", flag.help);
    }
    out.push_str("\nIt ends with:\n");
    for exit in Exit::ALL.iter().filter(|it| !it.client_text().is_empty()) {
        let _ = writeln!(out, "  {:3}  {}", exit.code(), exit.client_text());
    }
}

/// Reads flags and words; nothing if help was asked for.
fn read(mut parser: Parser, word: &str, own: &[Flag]) -> Result<Option<Given>, Refusal> {
    let mut given = Given::default();
    loop {
        let Some(arg) = parser.next().map_err(|why| Refusal::of(word, why))? else {
            return Ok(Some(given));
        };
        let mut known = own.iter().chain(BOTH);
        let (flag, shown) = match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Value(text) => {
                given.words.push(utf8(word, text)?);
                continue;
            }
            Arg::Short(letter) => (
                known.find(|it| it.short == Some(letter)),
                format!("-{letter}"),
            ),
            Arg::Long(name) => (known.find(|it| it.key == name), format!("--{name}")),
        };
        let Some(flag) = flag else {
            return Err(unknown(word, &shown, own));
        };
        let text = match flag.value {
            "" => String::new(),
            value if value.starts_with('[') => parser
                .optional_value()
                .map_or(Ok(String::new()), |it| utf8(word, it))?,
            _ => utf8(word, parser.value().map_err(|why| Refusal::of(word, why))?)?,
        };
        (flag.set)(&mut given, &text).map_err(|why| {
            // What stands behind the name may be a secret.
            let end = text
                .find([':', '='])
                .filter(|_| flag.value.starts_with("NAME"));
            let text = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
            match flag.key {
                // And a body may be one.
                "data" | "json" => Refusal::of(word, format_args!("{shown}: {why}")),
                _ => Refusal::of(word, format_args!("{shown}: {text:?} {why}")),
            }
        })?;
    }
}

fn unknown(word: &str, shown: &str, own: &[Flag]) -> Refusal {
    let known = own.iter().chain(BOTH).map(|flag| flag.key);
    match nearest_of(shown.trim_start_matches('-'), known) {
        _ if shown == "--token" => Refusal::of(
            word,
            "--token would show the secret to whoever lists processes; allowed: HOOKAH_TOKEN in \
             the environment, or --token-file",
        ),
        Some(key) => Refusal::of(
            word,
            format_args!("{shown} is not a flag of it; did you mean --{key}?"),
        ),
        None => Refusal::of(word, format_args!("{shown} is not a flag of it")),
    }
}

fn utf8(word: &str, text: OsString) -> Result<String, Refusal> {
    let text = text.into_string();
    text.map_err(|text| Refusal::of(word, format_args!("{text:?} is not UTF-8; use a file")))
}

impl Given {
    /// Whom to talk to, with what the environment says where no flag does.
    fn settings(self, word: &str, variable: &Variable<'_>) -> Result<Settings, Refusal> {
        let text = |name: &str| {
            let value = variable(name).filter(|value| !value.is_empty());
            value.map(|value| value.to_string_lossy().into_owned())
        };
        let whence = match self.server {
            Some(_) => "--server",
            None => "HOOKAH_SERVER",
        };
        let server = self.server.or_else(|| text("HOOKAH_SERVER"));
        let server = server.as_deref().unwrap_or(SERVER);
        let server = Server::parse(server).map_err(|why| {
            let allowed = Server::FORM;
            // A password in it is nobody's business.
            let shown = server.rsplit('@').next().unwrap_or_default();
            let hint = match Server::parse(&format!("http://{shown}")) {
                Ok(_) if !shown.is_empty() && !shown.contains("://") => {
                    format!("; did you mean http://{shown}?")
                }
                _ => String::new(),
            };
            Refusal::of(
                word,
                format_args!("{whence}: {shown:?} {why}; allowed: {allowed}{hint}"),
            )
        })?;
        let token = match (self.token_file, text("HOOKAH_TOKEN")) {
            (Some(path), _) => Token::File(path.into()),
            (None, Some(text)) => Token::Text(text),
            (None, None) => Token::None,
        };
        Ok(Settings {
            server,
            token,
            ca_file: self
                .ca_file
                .or_else(|| text("HOOKAH_CA_FILE"))
                .map(Into::into),
            retry_for: self.retry_for,
        })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|wrong| format!("{}; allowed: {DURATION_FORM}", wrong.complaint))
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_value)
}

/// A field of a form, as curl has it; or a file, which is the whole body.
fn data(given: &mut Given, text: &str) -> Result<(), String> {
    match text.strip_prefix('@') {
        None => given.form.push(text.to_owned()),
        Some(_) if given.order.body != Body::Piped => return Err(ONE_BODY.to_owned()),
        Some("-") => given.order.body = Body::Stdin,
        Some(path) => given.order.body = Body::File(path.into()),
    }
    Ok(())
}

const ONE_BODY: &str = "is a second body; allowed: one";

fn json(given: &mut Given, text: &str) -> Result<(), String> {
    if given.order.body != Body::Piped {
        return Err(ONE_BODY.to_owned());
    }
    given.order.body = match text.strip_prefix('@') {
        Some(path) => Body::JsonFile(path.into()),
        None => Body::Json(text.to_owned()),
    };
    Ok(())
}

/// A field for the target. One that ends the line would be two.
fn header(given: &mut Given, text: &str) -> Result<(), String> {
    const ALLOWED: &str = "allowed: Name: value, without control characters";
    let (name, value) = text
        .split_once(':')
        .ok_or_else(|| format!("has no colon; {ALLOWED}"))?;
    let value = value.trim_matches([' ', '\t']);
    if name.is_empty() || !name.bytes().all(is_token) || !value.bytes().all(is_value) {
        return Err(format!("is no field; {ALLOWED}"));
    }
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    if is("Content-Type") {
        given.order.content_type = Some(value.to_owned());
    } else if is("Idempotency-Key") || name.to_ascii_lowercase().starts_with("hookah-") {
        return Err("is an option; allowed: -o NAME=VALUE".to_owned());
    } else {
        let name = format!("Hookah-Forward-{name}");
        given.order.fields.push((name, value.to_owned()));
    }
    Ok(())
}

/// An option of the server's table, as the field that it is written as.
fn option(given: &mut Given, text: &str) -> Result<(), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or("has no value; allowed: NAME=VALUE")?;
    if !is_text(value) {
        return Err("is empty or has control characters".to_owned());
    }
    let rows = || options::TABLE.iter();
    let field = match rows().find(|row| row.name == name).map(|row| row.place) {
        Some(Place::Anywhere) => format!("Hookah-{name}"),
        Some(Place::Header(field)) => field.to_owned(),
        Some(Place::Field | Place::HeaderPrefix(_)) => {
            return Err("is a header for the target; allowed: -H 'Name: value'".to_owned());
        }
        None => {
            let near = nearest_of(name, rows().map(|row| row.name));
            let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            return Err(format!("is none of the server's options{hint}"));
        }
    };
    given.order.fields.push((field, value.to_owned()));
    Ok(())
}

/// Adds to what is read.
fn choose(given: &mut Given, name: &str, value: &str) {
    pair(&mut given.wish.choice, name, value);
}

fn begin(given: &mut Given, name: &'static str, value: &str) -> Result<(), String> {
    given.wish.begin.clear();
    pair(&mut given.wish.begin, name, value);
    given.begin.retain(|known| *known != name);
    given.begin.push(name);
    Ok(())
}

fn pair(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.push_str(&form::encoded(name));
    query.push('=');
    query.push_str(&form::encoded(value));
}

#[cfg(test)]
mod tests;
