//! What the tests of this room share: a folder of their own, and nouns to keep.
//! It asserts nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::frame::Frame;
use crate::base::time::Wall;
use crate::model::record::{Answered, Attempt, End, Place, Work};
use crate::model::{
    Extra, Message, MessageId, Method, Origin, Outcome, Scheme, Target, TopicNames,
};

/// A folder that is removed with its owner.
#[derive(Debug)]
pub(in crate::store) struct Folder(PathBuf);

impl Folder {
    /// A new one, with an absolute path, under the system's folder for such things.
    pub(in crate::store) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hookah-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    /// The path of a file in it.
    pub(in crate::store) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Its own path.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A time within this century.
pub(in crate::store) const THEN: Wall = Wall(1_763_900_000_000_000);

/// The id of that number, with a second half of its own.
pub(in crate::store) fn id(number: u64) -> MessageId {
    let tail = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    MessageId((u128::from(number) << 64) | u128::from(tail))
}

/// A plain message.
pub(in crate::store) fn message(number: u64, body: &[u8]) -> Message {
    Message {
        id: id(number),
        accepted: THEN,
        content_type: "text/plain".into(),
        body: Frame::copy_of(body),
        topics: TopicNames::default(),
        method: Method::Post,
        hops: 0,
        extra: None,
    }
}

/// A message with everything that one can have.
pub(in crate::store) fn rich(number: u64) -> Message {
    Message {
        topics: TopicNames::of([&b"news"[..], b"\xff\x00"].into_iter()),
        method: Method::Put,
        hops: 3,
        extra: Some(Box::new(Extra {
            fields: b"\r\nX-A: b".as_slice().into(),
            label: Some("orders".into()),
            event: Some("created".into()),
            options: "retries=3&timeout=5s".into(),
            resend_of: Some(id(7)),
        })),
        ..message(number, b"\x00body")
    }
}

/// As the shell makes them, for these tests: `http://host/path`.
pub(in crate::store) fn target(url: &str, authorization: Option<&str>) -> Option<Target> {
    let after = url.strip_prefix("http://")?;
    let (host, path) = after.split_at(after.find('/')?);
    Some(Target {
        origin: Origin {
            scheme: Scheme::Http,
            host: host.into(),
            port: 80,
        },
        addrs: Box::default(),
        name: Some(host.into()),
        server_name: None,
        authority: host.into(),
        path: path.into(),
        authorization: authorization.map(Into::into),
        url: url.into(),
        lane: crc32c::crc32c(host.as_bytes()).into(),
    })
}

/// Work in the lane `lane`, ranked by `due` seconds after [`THEN`].
pub(in crate::store) fn work(number: u64, delivery: u32, lane: u64, due: u64) -> Work {
    let due = Wall(THEN.0 + due * 1_000_000);
    let url = format!("http://h{lane}/{number}/{delivery}");
    Work {
        id: id(number),
        number: delivery,
        target: Arc::new(target(&url, Some("Basic eA==")).unwrap()),
        place: Place {
            lane,
            rank: due.0,
            due,
            parked: false,
        },
        expires: Wall(due.0 + 86_400_000_000),
        attempts: 0,
        subscription: 0,
    }
}

/// An attempt that was answered.
pub(in crate::store) fn attempt(number: u32, status: u16) -> Attempt {
    Attempt {
        attempt: number,
        at: THEN,
        took: 1_500,
        status,
        error: if status < 300 { "" } else { "status" }.into(),
        detail: "".into(),
        answer: Some(Box::new(Answered {
            head: b"HTTP/1.1 200 OK\r\n\r\n".as_slice().into(),
            body: b"ok".as_slice().into(),
            truncated: false,
        })),
    }
}

/// An end of that kind.
pub(in crate::store) fn end(outcome: Outcome) -> End {
    End {
        outcome,
        detail: "",
        at: THEN,
        target: Arc::new(target("http://h/", None).unwrap()),
    }
}
