//! Topics for people: all of them, one of them, and the end of one (streams.md section 7).

use serde_json::{Value, json};

use crate::reader::lines;
use crate::server::Server;
use crate::{ask, await_metric, publish, publish_numbers};

/// What a window shows.
fn shown(server: &Server, method: &str, path: &str) -> (u16, Value) {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\n\r\n");
    let answer = ask(server, request);
    let body = serde_json::from_str(&answer.body);
    (answer.status, body.unwrap_or(Value::Null))
}

#[test]
fn a_topic_shows_who_reads_it_and_what_is_kept() {
    let server = Server::start();
    let _readers = [lines(&server, "topic=a%2Fb"), lines(&server, "topic=a%2Fb")];
    let ids = publish_numbers(&server, "a/b", 3);
    let (status, topic) = shown(&server, "GET", "/topics/a%2Fb");
    assert_eq!(status, 200);
    assert_eq!(topic["topic"], "a/b");
    assert_eq!(
        [&topic["streams"], &topic["callbacks"], &topic["messages"]],
        [2, 0, 3].map(|it| json!(it)).each_ref()
    );
    assert_eq!(topic["last_id"], *ids[2]);
    let (status, problem) = shown(&server, "GET", "/topics/a");
    assert_eq!(status, 404, "{problem}");
    assert!(
        problem["detail"].to_string().contains(r#"\"a\""#),
        "{problem}"
    );
}

#[test]
fn topics_are_listed_a_page_at_a_time() {
    let server = Server::start();
    for number in 0..5 {
        publish(&server, &format!("_topic=t{number}&a=1"));
    }
    let (mut names, mut path) = (Vec::new(), "/topics?limit=2".to_owned());
    loop {
        let (status, page) = shown(&server, "GET", &path);
        assert_eq!(status, 200, "{page}");
        let topics = page["topics"].as_array().expect("a list");
        assert!(topics.len() <= 2);
        names.extend(topics.iter().map(|it| it["topic"].clone()));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/topics?limit=2&cursor={next}");
    }
    names.sort_by_key(Value::to_string);
    assert_eq!(names, ["t0", "t1", "t2", "t3", "t4"]);
    for bad in ["limit=0", "limit=x", "cursor=-1"] {
        let (status, problem) = shown(&server, "GET", &format!("/topics?{bad}"));
        let name = bad.split('=').next().expect("a name");
        assert_eq!(status, 400, "{bad}");
        assert!(problem["detail"].to_string().contains(name), "{problem}");
    }
}

#[test]
fn a_topic_that_is_deleted_ends_its_streams_and_drops_its_backlog() {
    let server = Server::start();
    let mut one = lines(&server, "topic=t&format=json");
    let mut both = lines(&server, "topic=t&topic=u&format=json");
    let mut other = lines(&server, "topic=u&format=json");
    publish_numbers(&server, "t", 2);
    let (status, ended) = shown(&server, "DELETE", "/topics/t");
    assert_eq!(status, 200);
    assert_eq!(ended, json!({"topic": "t", "ended": 2, "dropped": 2}));
    for stream in [&mut one, &mut both] {
        stream.line();
        stream.line();
        assert_eq!(stream.notice("disconnect")["code"], 7);
        stream.ends();
    }
    await_metric(&server, "hookah_streams", 1);
    assert_eq!(shown(&server, "GET", "/topics/t").0, 404);
    publish(&server, "_topic=u&a=1");
    other.line();
}
