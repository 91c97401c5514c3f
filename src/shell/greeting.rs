//! The lines at the start: where the server listens, where it keeps things, how to try it.
//! It prints nothing itself.

use super::gate::Place;
use super::journal;
use super::sum::Sum;
use super::{LogFormat, Settings};
use crate::admin::about::reachable;
use crate::store::Opened;

/// What is said once connections are taken in.
#[derive(Debug)]
pub(super) struct Words {
    /// The lines for people.
    pub(super) greeting: String,
    /// One for a service manager.
    pub(super) status: String,
    /// For whom the store waits, if it does.
    pub(super) waits: Option<String>,
}

/// All of that.
pub(super) fn words(places: &[Place], store: &Opened, settings: &Settings, sum: &Sum) -> Words {
    let urls: Vec<String> = places.iter().map(Place::to_string).collect();
    Words {
        greeting: match settings.log_format {
            LogFormat::Text => greeting(places, &store.about, settings, sum),
            LogFormat::Json => {
                let lines = greeting(places, &store.about, settings, sum);
                journal::in_json("started", &lines)
            }
        },
        status: format!("Listening on {}", urls.join(", ")),
        waits: store.waits.clone(),
    }
}

/// The lines. Whoever starts us by a program reads the first one for the port.
fn greeting(places: &[Place], store: &str, settings: &Settings, sum: &Sum) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let urls: Vec<String> = places.iter().map(Place::to_string).collect();
    format!(
        "hookah {version} listening on {}\nstore: {store}\ntargets: {}\nbounds: {sum}\n{}{}\n",
        urls.join(", "),
        settings.targets,
        page(places),
        example(places, settings),
    )
}

/// The line for browsers, which reach no Unix socket.
fn page(places: &[Place]) -> String {
    let url = places.iter().find_map(|place| match place {
        Place::Http(addr) => Some(format!("http://{}/", reachable(*addr))),
        Place::Https(addr) => Some(format!("https://{}/", reachable(*addr))),
        Place::Unix(_) | Place::Hidden(_) => None,
    });
    url.map_or_else(String::new, |url| format!("page: {url}\n"))
}

/// A line to try it with: by the first listener without TLS, for that takes the least.
fn example(places: &[Place], settings: &Settings) -> String {
    const DATA: &str = "-d _url=http://localhost:9000/ -d hello=world";
    let token = match settings.tokens {
        Some(_) => "-H \"Authorization: Bearer $TOKEN\" ",
        None => "",
    };
    let data = format!("{token}{DATA}");
    let plain = |place: &&Place| !matches!(place, Place::Https(_));
    match places.iter().find(plain).or(places.first()) {
        None => String::new(),
        Some(Place::Http(addr)) => format!("try: curl {data} http://{}/dispatch", reachable(*addr)),
        Some(Place::Unix(path)) => format!(
            "try: curl --unix-socket {} {data} http://localhost/dispatch",
            path.display()
        ),
        Some(Place::Hidden(name)) => {
            format!("try: curl --abstract-unix-socket {name} {data} http://localhost/dispatch")
        }
        Some(Place::Https(addr)) => {
            let files = settings.identity.as_ref();
            let ours = files.map(|files| format!("--cacert {} ", files.certificate.display()));
            let theirs = files.and_then(|files| files.client_ca.as_ref());
            let theirs = theirs.map(|_| "--cert CLIENT.pem --key CLIENT.key ");
            format!(
                "try: curl {}{}{data} https://{}/dispatch",
                ours.unwrap_or_default(),
                theirs.unwrap_or_default(),
                reachable(*addr)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::path::PathBuf;
    use std::time::Duration;

    use crate::shell::Files;

    fn settings() -> Settings {
        Settings {
            listen: vec![],
            store: String::new(),
            keep_age: Duration::ZERO,
            keep_bytes: 0,
            min_free: 0,
            targets: "public",
            ca_file: None,
            identity: Some(Files {
                certificate: "cert.pem".into(),
                key: "key.pem".into(),
                client_ca: None,
            }),
            tokens: None,
            config_file: None,
            takeover: false,
            log_format: LogFormat::Text,
        }
    }

    #[test]
    fn the_greeting_says_where_what_and_how() {
        let places = [
            Place::Https("[::1]:8443".parse().unwrap()),
            Place::Http("0.0.0.0:80".parse().unwrap()),
            Place::Unix(PathBuf::from("/run/h.sock")),
        ];
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            greeting(
                &places,
                "memory (nothing survives a restart)",
                &settings(),
                &Sum::of(&crate::shell::tests::engine_settings())
            ),
            format!(
                "hookah {version} listening on https://[::1]:8443, http://0.0.0.0:80, \
                 unix:/run/h.sock\n\
                 store: memory (nothing survives a restart)\n\
                 targets: public\n\
                 bounds: 64 connections; at most 22 MiB, of which 1 MiB for messages, topics and \
                 buffers, and the kernel's 16 KiB for each client that does not read\n\
                 page: https://[::1]:8443/\n\
                 try: curl -d _url=http://localhost:9000/ -d hello=world \
                 http://127.0.0.1:80/dispatch\n"
            )
        );
    }

    #[test]
    fn each_kind_of_listener_has_its_line_to_try() {
        const DATA: &str = "-d _url=http://localhost:9000/ -d hello=world";
        let mut settings = settings();
        let unix = [Place::Unix("/run/h.sock".into())];
        assert_eq!(page(&unix), "");
        assert_eq!(
            example(&unix, &settings),
            format!("try: curl --unix-socket /run/h.sock {DATA} http://localhost/dispatch")
        );
        let hidden = [Place::Hidden("h".into())];
        assert_eq!(
            example(&hidden, &settings),
            format!("try: curl --abstract-unix-socket h {DATA} http://localhost/dispatch")
        );
        let plain = [Place::Http("0.0.0.0:80".parse().unwrap())];
        assert_eq!(page(&plain), "page: http://127.0.0.1:80/\n");
        let secure = [Place::Https("[::]:8443".parse().unwrap())];
        let expected =
            |files: &str| format!("try: curl {files} {DATA} https://[::1]:8443/dispatch");
        assert_eq!(example(&secure, &settings), expected("--cacert cert.pem"));
        if let Some(files) = &mut settings.identity {
            files.client_ca = Some("ca.pem".into());
        }
        assert_eq!(
            example(&secure, &settings),
            expected("--cacert cert.pem --cert CLIENT.pem --key CLIENT.key")
        );
    }
}
