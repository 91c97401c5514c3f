//! Clients that have to show a certificate.

use rustls::AlertDescription as Alert;
use rustls::Error;

use crate::authority::{Authority, Flaw, VERSIONS};
use crate::caller::{Caller, LAST, config, serving, tls_error};

#[test]
fn only_who_shows_a_certificate_of_that_authority_comes_in() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let ca = format!("--client-ca={}", theirs.file.display());
    let mut server = serving(&ours, [&*ca]);
    let refused = [
        (None, "tls_cert_missing"),
        (Some((&ours, Flaw::None)), "tls_cert_"),
        (Some((&theirs, Flaw::Expired)), "tls_cert_expired"),
        (Some((&theirs, Flaw::NotYetValid)), "tls_cert_not_yet_valid"),
        (Some((&theirs, Flaw::SelfSigned)), "tls_cert_unknown_ca"),
    ];
    for version in VERSIONS {
        let good = config(&ours, Some((&theirs, Flaw::None)), Some(version));
        for resumed in [false, true] {
            let mut caller = Caller::of(&server, &good);
            caller.say(LAST);
            assert!(caller.hear_all().starts_with("HTTP/1.1 200 OK\r\n"));
            assert_eq!(caller.is_resumed(), resumed);
        }
        for (shows, word) in refused {
            let why = match Caller::call(&server, &config(&ours, shows, Some(version))) {
                Ok(caller) => caller.fails(),
                Err(why) => tls_error(why),
            };
            let Error::AlertReceived(alert) = why else {
                panic!("{word}: {why:?}")
            };
            let is_missing = shows.is_none();
            assert_eq!(alert == Alert::CertificateRequired, is_missing, "{alert:?}");
            server.line_with(&format!("why={word}"));
        }
    }
}
