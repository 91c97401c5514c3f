//! What the variables of a service manager mean, without a manager.

use super::*;

/// Variables, and the names of the sockets that they tell of.
type Row = (
    &'static [(&'static str, &'static str)],
    Result<&'static [&'static str], ()>,
);

/// What these variables say to process 7.
fn said(variables: &[(&str, &str)]) -> Said {
    let value = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(*value))
    };
    Said::by(value, 7)
}

#[test]
fn sockets_are_for_the_process_that_is_named() {
    let rows: [Row; 8] = [
        (&[], Ok(&[])),
        (&[("LISTEN_FDS", "1")], Ok(&[])),
        (&[("LISTEN_FDS", "1"), ("LISTEN_PID", "8")], Ok(&[])),
        (&[("LISTEN_FDS", "2"), ("LISTEN_PID", "7")], Ok(&["", ""])),
        (
            &[
                ("LISTEN_FDS", "2"),
                ("LISTEN_PID", "7"),
                ("LISTEN_FDNAMES", "http:x"),
            ],
            Ok(&["http", "x"]),
        ),
        (
            &[
                ("LISTEN_FDS", "1"),
                ("LISTEN_PID", "7"),
                ("LISTEN_FDNAMES", "a:b"),
            ],
            Ok(&["a"]),
        ),
        (&[("LISTEN_FDS", "x"), ("LISTEN_PID", "7")], Err(())),
        (&[("LISTEN_FDS", "1025"), ("LISTEN_PID", "7")], Err(())),
    ];
    for (variables, expected) in rows {
        let names = said(variables).sockets.map_err(|_| ());
        let expected = expected.map(|names| names.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(names, expected, "{variables:?}");
    }
}

#[test]
fn signs_of_life_are_for_the_process_that_is_named_or_any() {
    let socket = ("NOTIFY_SOCKET", "@x");
    let every = ("WATCHDOG_USEC", "10");
    for (variables, expected) in [
        (vec![socket, every], Some(10)),
        (vec![socket, every, ("WATCHDOG_PID", "7")], Some(10)),
        (vec![socket, every, ("WATCHDOG_PID", "8")], None),
        (vec![socket, ("WATCHDOG_USEC", "0")], None),
        (vec![every], None),
        (vec![socket], None),
    ] {
        let asked = said(&variables).asked;
        let watchdog = expected.map(Duration::from_micros);
        assert_eq!(asked.watchdog, watchdog, "{variables:?}");
    }
}

#[test]
fn a_name_may_say_whether_there_is_tls() {
    let tcp = SockAddr::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)));
    for (name, expected) in [
        ("http", Scheme::Http),
        ("https", Scheme::Https),
        ("hookah.socket", Scheme::Either),
        ("", Scheme::Either),
    ] {
        let place = place(&tcp, name);
        assert!(matches!(place, Some(Listen::Tcp(_, scheme)) if scheme == expected));
    }
    let unix = SockAddr::unix("/run/h.sock").unwrap();
    assert_eq!(
        place(&unix, "https"),
        Some(Listen::Unix("/run/h.sock".into()))
    );
    let hidden = SockAddr::unix("\0hidden").unwrap();
    assert_eq!(place(&hidden, ""), Some(Listen::Unix("@hidden".into())));
}
