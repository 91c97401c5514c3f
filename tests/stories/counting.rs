//! What /metrics says after a day's work.
//! The format's own rules are tested where it is written.

use crate::client::Client;
use crate::prometheus;
use crate::server::Server;
use crate::target::{Absent, Act, OK, Target};
use crate::{ask, form, metric, metric_until, schedule, settled};

#[test]
fn the_metrics_count_what_happened_and_the_gauges_return_to_zero() {
    let server = Server::start();
    // Each row is a name and what is to be added to it.
    let mut expected: Vec<(&str, u64)> = Vec::new();
    let target = Target::new(|webhook| match (webhook.path.as_str(), webhook.attempt()) {
        ("/gone", _) => Act::Close(b"HTTP/1.1 410 Gone\r\nConnection: close\r\n\r\n".into()),
        ("/flaky", 1) => Act::Close(Vec::new()),
        _ => Act::Close(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".into()),
    });
    for _ in 0..3 {
        schedule(&server, &target.url("/good"), "&a=1");
    }
    schedule(&server, &target.url("/flaky"), "&_retry_schedule=10ms");
    schedule(&server, &target.url("/gone"), "");
    let more = "&_retry_schedule=10ms&_retries=1000&_expires=100ms";
    schedule(&server, &Absent::new().url("/"), more);
    for _ in 0..6 {
        target.arrival();
    }
    ask(&server, "GET /nowhere HTTP/1.0\r\n\r\n");
    ask(&server, "no request\r\n\r\n");
    assert_eq!(ask(&server, form("_topic=t")).status, 202);
    settled(&server);
    expected.extend([
        ("hookah_messages_accepted_total", 7),
        ("hookah_deliveries_delivered_total", 4),
        ("hookah_deliveries_failed_total", 1),
        ("hookah_deliveries_expired_total", 1),
        ("hookah_requests_refused_total", 2),
        ("hookah_resends_total", 0),
        ("hookah_panics_caught_total", 0),
    ]);
    for (name, value) in expected {
        assert_eq!(metric(&server, name), value, "{name}");
    }
    let attempts = metric(&server, "hookah_attempts_total");
    let failed = metric(&server, "hookah_attempts_failed_total");
    // All but the four that delivered and the one answered with a 410.
    assert_eq!(attempts - failed, 5);
    for gauge in ["calls_waiting", "bytes_held", "lines_outbound"] {
        metric_until(&server, &format!("hookah_{gauge}"), |value| value == 0);
    }
    // Whoever asks is the one client left.
    metric_until(&server, "hookah_lines_inbound", |value| value == 1);
}

#[test]
fn the_metrics_are_prometheus_text() {
    let server = Server::start();
    let answer = ask(&server, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    let kind = answer.fields.get("Content-Type").expect("a type");
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    let families = prometheus::read(&answer.body);
    let labels = vec![("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    let build = ("hookah_build_info".to_owned(), labels, 1.0);
    assert_eq!(families["hookah_build_info"].samples, [build]);
    assert!(metric(&server, "hookah_start_time_seconds") > 1_700_000_000);
    // No label has a value that a peer could choose.
    let samples = families.values().flat_map(|family| &family.samples);
    let mut labels = samples.flat_map(|(_, labels, _)| labels);
    assert!(labels.all(|(name, _)| name == "le" || name == "version"));
    for counter in hookah::base::stats::Counter::ALL {
        let row = counter.row();
        let family = families.get(row.name).expect(row.name);
        assert_eq!(
            (&*family.kind, &*family.help),
            (row.kind.as_str(), row.help)
        );
    }
}

#[test]
fn turns_commits_deliveries_and_fan_out_are_told_as_distributions() {
    let (server, target) = (Server::start(), Target::new(|_| OK.into()));
    let mut reader = Client::connect(server.addr());
    reader
        .send("GET /stream?topic=t HTTP/1.1\r\nHost: h\r\n\r\n")
        .answer_to_head();
    schedule(&server, &target.url("/"), "&_topic=t&a=1");
    target.arrival();
    settled(&server);
    let answer = ask(&server, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    let families = prometheus::read(&answer.body);
    let shown = |name: &str, wanted: &str| {
        let family = &families[name];
        let found = family
            .samples
            .iter()
            .find(|(name, ..)| name.ends_with(wanted));
        found.expect(name).2
    };
    assert_eq!(shown("hookah_delivery_seconds", "_count"), 1.0);
    assert!(shown("hookah_delivery_seconds", "_sum") < 60.0);
    assert_eq!(shown("hookah_fanout_streams", "_count"), 1.0);
    assert_eq!(shown("hookah_fanout_streams", "_sum"), 1.0);
    assert!(shown("hookah_commit_seconds", "_count") >= 1.0);
    assert!(shown("hookah_turn_seconds", "_count") >= 3.0);
    assert!(shown("hookah_turn_seconds", "_sum") > 0.0);
}

#[test]
fn lines_are_counted_while_they_are_open() {
    let (server, target) = (Server::start(), Target::new(|_| OK.into()));
    let mut clients: Vec<Client> = (0..5).map(|_| Client::connect(server.addr())).collect();
    for client in &mut clients {
        client
            .send("GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            .answer();
    }
    assert_eq!(metric(&server, "hookah_lines_inbound"), 6);
    schedule(&server, &target.url("/"), "&a=1");
    target.arrival();
    settled(&server);
    assert_eq!(metric(&server, "hookah_lines_outbound"), 1);
    drop(clients);
    metric_until(&server, "hookah_lines_inbound", |count| count == 1);
}
