//! A tap on one line to a target: what the engine wrote and read there, in its own time and order.
//! It judges the line; the oracle judges the deliveries.

use crate::http::{Kind, Message, Reader};

/// Something the tap heard.
#[derive(Debug)]
pub enum Heard {
    /// A complete request head was written.
    Asked(Message),
    /// A complete final answer head was read.
    Told(Message),
}

/// The tap.
#[derive(Debug)]
pub struct Tap {
    requests: Reader,
    answers: Reader,
    /// A request is out whose answer is not complete; the number of its `Sent` with the oracle.
    pub open: Option<usize>,
    /// It leads to an address that no strict order may come to.
    pub loose: bool,
    /// When the first byte of the last request was written.
    pub began: u64,
    /// Whether a byte of the open request's answer was read.
    pub any_byte: bool,
    /// Whether the head of the open request's answer was read.
    pub told: bool,
    /// The last answer that was read as a whole, until somebody takes it.
    pub answer: Option<Message>,
    /// Requests begun on this line.
    pub begun: u32,
    /// Why the line must not be used again.
    poisoned: Option<String>,
}

impl Tap {
    /// A tap on a fresh line.
    pub fn new(loose: bool) -> Tap {
        Tap {
            requests: Reader::new(Kind::Request),
            answers: Reader::new(Kind::Answer),
            open: None,
            loose,
            began: 0,
            any_byte: false,
            told: false,
            answer: None,
            begun: 0,
            poisoned: None,
        }
    }

    /// The engine wrote; a request head if one is complete now.
    pub fn wrote(&mut self, at: u64, bytes: &[u8]) -> Option<Heard> {
        let fresh = self.requests.is_clean();
        if fresh {
            assert_eq!(self.poisoned, None, "a line was used again");
            assert!(
                self.open.is_none(),
                "a request before the last one's answer"
            );
            self.begun += 1;
            self.began = at;
            self.any_byte = false;
            self.told = false;
        }
        self.requests.push(bytes);
        let whole = self
            .requests
            .next()
            .unwrap_or_else(|e| panic!("wrote no HTTP: {e}"));
        assert!(
            whole.is_none() || self.requests.is_clean(),
            "wrote beyond its request"
        );
        let head = self.requests.head.take()?;
        self.answers.to_head = head.word(0) == "HEAD";
        Some(Heard::Asked(head))
    }

    /// The engine read; the answer's head if it is complete now.
    pub fn read(&mut self, bytes: &[u8]) -> Option<Heard> {
        self.any_byte = true;
        if self.open.is_none() {
            self.poison("bytes before a request or behind an answer");
            return None;
        }
        if self.poisoned.is_some() {
            return None;
        }
        self.answers.push(bytes);
        let result = self.answers.next();
        let head = self.answers.head.take();
        match result {
            Ok(None) => {}
            Ok(Some(answer)) => {
                self.open = None;
                if !self.answers.is_clean() {
                    self.poison("bytes behind an answer");
                }
                if !self.requests.is_clean() {
                    self.poison("an answer before the request's end");
                }
                if answer.connection("close") || answer.start.starts_with("HTTP/1.0") {
                    self.poison("the answer said close");
                }
                self.answer = Some(answer);
            }
            Err(wrong) => self.poison(&wrong),
        }
        self.told |= head.is_some();
        head.map(Heard::Told)
    }

    /// The peer finished: what may end with it is whole now.
    pub fn finish(&mut self) {
        if self.open.is_some() && self.poisoned.is_none() {
            self.answer = self.answers.finish().ok().flatten();
        }
    }

    /// The peer finished or the line ended.
    pub fn ended(&mut self) {
        self.poison("the peer has ended");
    }

    fn poison(&mut self, why: &str) {
        self.poisoned.get_or_insert_with(|| why.to_owned());
    }
}
