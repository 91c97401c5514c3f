//! From a POST to whoever reads: all of them, beside callbacks, and on lines with a past.

use std::io::Write;
use std::net::TcpListener;

use crate::client::Client;
use crate::message::Wire;
use crate::reader::{Asked, get, lines};
use crate::server::Server;
use crate::{FORM, await_metric, publish};

#[test]
fn a_message_reaches_every_reader_of_its_topic_and_no_other() {
    let server = Server::start();
    let mut readers = [(); 3].map(|()| lines(&server, "topic=news"));
    let mut other = lines(&server, "topic=weather");
    publish(&server, "_topic=news&a=1&b=%E2%9C%93");
    publish(&server, "_topic=weather&_topic=news&_topic=news&c=2");
    for reader in &mut readers {
        assert_eq!(reader.text(), "a=1&b=%E2%9C%93");
        assert_eq!(reader.text(), "c=2");
    }
    assert_eq!(other.text(), "c=2");
}

#[test]
fn a_message_goes_to_a_topic_and_a_url() {
    let server = Server::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut reader = lines(&server, "topic=news");
    let url = format!("http%3A%2F%2F127.0.0.1%3A{port}%2Fhook");
    publish(&server, &format!("_topic=news&_url={url}&a=1"));
    assert_eq!(reader.text(), "a=1");
    let (call, _) = listener.accept().expect("a call");
    let mut call = Wire::new(call);
    let head = call.head().expect("a request");
    assert_eq!(head.start, "POST /hook HTTP/1.1");
    assert_eq!(call.exact(head.fields.length().expect("a length")), b"a=1");
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    call.stream.write_all(answer).expect("it is read");
    await_metric(&server, "hookah_deliveries_delivered_total", 1);
}

#[test]
fn a_stream_may_follow_other_requests_on_its_line() {
    let server = Server::start();
    let health = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    let form = "_topic=news&before=1";
    let post = format!(
        "POST /dispatch HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\
         Content-Type: {FORM}\r\n\r\n{form}",
        form.len()
    );
    let mut client = Client::connect(server.addr());
    client.send(format!("{health}{post}{}", get("topic=news", "")));
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.answer().status, 202);
    let mut reader = Asked::on(client).lines();
    publish(&server, "_topic=news&after=1");
    assert_eq!(reader.text(), "after=1");
}

/// What follows a stream's request on its line is never read as another request.
#[test]
fn nothing_follows_a_stream_on_its_line() {
    let server = Server::start();
    let mut client = Client::connect(server.addr());
    let health = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    client.send(format!("{}{health}", get("topic=news", "")));
    let mut reader = Asked::on(client).lines();
    publish(&server, "_topic=news&a=1");
    assert_eq!(reader.text(), "a=1");
    // What came in one piece with the request is not even counted; more than 64 KiB behind it ends
    // the stream.
    let mut client = Client::connect(server.addr());
    client.try_send(format!("{}{}", get("topic=news", ""), "x".repeat(200_000)));
    client.wire.rest();
    await_metric(&server, "hookah_streams", 1);
}
