//! Stories of live streams: the real binary, real sockets, decoders that were written apart from
//! it. What chance and time do to streams is the simulator's business (`sim`) or that of the
//! separate checks (`checks`).
//!
//! The rows of the specification of `/stream`, and where each is shown:
//!
//! | row | story |
//! |---|---|
//! | 1 methods, form of a POST | `parameters::a_form_is_merged_with_the_query` |
//! | 1 `topic` | `parameters::a_topic_is_its_bytes` |
//! | 1 `prefix` | `selecting::a_prefix_reads_every_topic_that_begins_so` |
//! | 1 `format`, Accept | `parameters::the_format_is_asked_for_or_negotiated` |
//! | 1 `delimited`, `data` | `formats::a_length_before_each_message`, `formats::events_of_bodies` |
//! | 1 `count` | `replay::the_last_so_many`, `replay::the_last_so_many_and_no_more` |
//! | 1 `since` | `replay::since_a_message`, `replay::since_a_time`, `replay::all_or_nothing` |
//! | 1 `last_event_id` | `replay::what_a_browser_adds_wins` |
//! | 1 HEAD, OPTIONS | `polling::a_head_is_…`, `polling::only_listed_origins_may_read` |
//! | 1 `poll`, `wait` | `polling::*` |
//! | 1 `keepalive`, `heartbeat` | checks "streams: signs of life"; sim `an_idle_reader_…` |
//! | 1 `stall_warnings` | `slow::who_falls_behind_is_told_if_it_likes` |
//! | 1 `slow` | `slow::who_would_rather_lose_messages_keeps_its_stream` |
//! | 1 `where.` | `selecting::only_messages_with_these_fields` |
//! | 1 `retry` | `parameters::a_browser_comes_back_when_it_is_told` |
//! | 1 `token` | `refusing::a_token_is_never_shown` |
//! | 1 unknown, bad values | `parameters::what_is_unknown_is_ignored`, `refusing::bad_values` |
//! | 2 fields of the head | every reader; `formats::heads`, `replay::*` for the last two |
//! | 2 head and first bytes at once | sim `head_and_first_bytes_come_at_once_…` |
//! | 2 fields for browsers | `polling::only_listed_origins_may_read` |
//! | 2 HTTP/1.0 | `formats::an_old_client_gets_lines_to_the_end_of_the_connection` |
//! | 3 raw | `formats::lines_of_what_was_posted` |
//! | 3 json | `formats::lines_of_json` |
//! | 3 sse | `formats::events_of_json`, `formats::events_have_the_publishers_name` |
//! | 3 keep-alive | checks "streams: signs of life" |
//! | 3 notices and codes | `ending::*`, `slow::*`; every byte: `tests/formats` |
//! | 3 long-poll | `polling::a_poll_goes_on_behind_its_tag`, `polling::who_waits_*` |
//! | 4 200 on a topic nobody knows | `parameters::a_topic_is_its_bytes` |
//! | 4 204, 304 | `polling::a_poll_goes_on_behind_its_tag`, `polling::who_waits_in_vain_*` |
//! | 4 400, 405, 406, 413, 414, 415, 416 | `refusing::*` |
//! | 4 503, SSE when full, no eviction | `refusing::who_finds_no_place_is_told_when_to_come` |
//! | 4 503 in a drain | `refusing::nobody_is_let_in_while_the_server_stops` |
//! | 5 to all readers, beside `_url` | `publishing::*` |
//! | 5 order, once, first match | `selecting::*` |
//! | 5 reset, number missing | `replay::who_was_away_too_long_is_told` |
//! | 5 backlog's bounds | `replay::a_topic_keeps_so_much`; its age: sim |
//! | 5 `$` | `refusing::names_that_are_ours` |
//! | 6 4 MiB behind | `slow::a_reader_that_never_reads_is_ended_and_the_others_get_everything` |
//! | 6 10,000 messages behind | sim `a_reader_too_many_messages_behind_is_ended` |
//! | 6 one message is admitted | `slow::one_message_is_admitted_whatever_its_size` |
//! | 6 no byte accepted for a while | `slow::who_takes_nothing_for_too_long_is_gone` |
//! | 6 SO_SNDBUF, stopped readers, memory | checks "streams: …" |
//! | 6 counted and logged | `slow::*` |
//! | 6 a burst ends nobody | `slow::a_burst_within_the_bounds_ends_nobody`; checks |
//! | 6 all topics' bound | `src/topics/tests.rs`; checks "streams: memory …", "… 100,000 …" |
//! | 7 `max-streams` | `refusing::who_finds_no_place_is_told_when_to_come` |
//! | 7 `max-age` | `ending::an_old_stream_ends_so_that_its_reader_comes_anew` |
//! | 7 bytes of the client | `ending::what_a_reader_says_…`, `publishing::nothing_follows_…` |
//! | 7 drain | `ending::a_stop_ends_streams_with_their_last_chunk` |
//! | 7 `/topics`, `/topics/<t>`, DELETE | `windows.rs` |
//! | 3 ws, 4 401 and 403 | not built yet |

#[path = "../support/client.rs"]
mod client;
// The formats' own tests need all of it.
#[allow(dead_code)]
#[path = "../support/decode.rs"]
mod decode;
#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/message.rs"]
mod message;
#[path = "../support/server.rs"]
mod server;

mod ending;
mod formats;
mod parameters;
mod polling;
mod publishing;
mod reader;
mod refusing;
mod replay;
mod returning;
mod selecting;
mod slow;
mod windows;

use std::net::SocketAddr;
use std::time::Instant;

use client::{Answer, Client};
use server::Server;

const FORM: &str = "application/x-www-form-urlencoded";

/// The answer to one request on a connection of its own.
fn ask(server: &Server, request: impl AsRef<[u8]>) -> Answer {
    Client::connect(server.addr()).send(request).answer()
}

/// Publishes a form with its `_topic`; the message's id.
fn publish(server: &Server, form: &str) -> String {
    publish_as(server, "", FORM, form.as_bytes())
}

/// Publishes a form to whoever listens there.
fn publish_at(addr: SocketAddr, form: &str) -> String {
    taken(addr, "", FORM, form.as_bytes())
}

/// Publishes a body of any type; `fields` are header lines, each with its end.
fn publish_as(server: &Server, fields: &str, media_type: &str, body: &[u8]) -> String {
    taken(server.addr(), fields, media_type, body)
}

fn taken(addr: SocketAddr, fields: &str, media_type: &str, body: &[u8]) -> String {
    let length = body.len();
    let head = format!(
        "POST /dispatch HTTP/1.1\r\nHost: h\r\n{fields}Content-Type: {media_type}\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    let mut client = Client::connect(addr);
    let answer = client.send([head.as_bytes(), body].concat()).answer();
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.fields.get("Hookah-Id").expect("an id").to_owned()
}

/// Publishes `a=0`, `a=1` and so on to a topic; their ids.
fn publish_numbers(server: &Server, topic: &str, count: usize) -> Vec<String> {
    let form = |number| format!("_topic={topic}&a={number}");
    (0..count)
        .map(|number| publish(server, &form(number)))
        .collect()
}

/// A number of /metrics.
fn metric(server: &Server, name: &str) -> u64 {
    let answer = ask(server, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    let mut lines = answer.body.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("no {name} in {}", answer.body));
    value.parse().expect("a number")
}

/// Waits until a number of /metrics is that; no event tells of it.
fn await_metric(server: &Server, name: &str, value: u64) {
    let end = Instant::now() + message::PATIENCE;
    while metric(server, name) != value {
        let now = metric(server, name);
        assert!(Instant::now() < end, "{name} is {now}, not {value}");
    }
}

/// A server with these knobs besides its address.
fn server_with(flags: &[&str]) -> Server {
    Server::with(["--listen", "127.0.0.1:0"].iter().chain(flags))
}
