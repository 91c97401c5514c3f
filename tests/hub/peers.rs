//! The hub's peers in these stories: subscribers that confirm what they are asked, publishers whose
//! content a story changes. They parse what comes by themselves and share no code with the server.

use std::sync::{Arc, Mutex};

use ring::hmac;

use crate::target::{Act, Arrival, OK, Target};

/// A publisher's Content-Type, which has to arrive as it is.
pub const ATOM: &str = "application/atom+xml; charset=\"UTF-8\"";

/// An answer with that body.
pub fn says(status: u16, fields: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} So\r\n{fields}Content-Length: {length}\r\n\r\n{body}").into()
}

/// An answer that leads elsewhere.
pub fn sent_to(status: u16, location: &str) -> Vec<u8> {
    says(status, &format!("Location: {location}\r\n"), "")
}

/// A parameter of the request line's query, decoded; the last of that name.
pub fn param(got: &Arrival, name: &str) -> Option<String> {
    let (_, query) = got.path.split_once('?')?;
    let mut fields = query.rsplit('&').filter_map(|field| field.split_once('='));
    let (_, value) = fields.find(|(given, _)| *given == name)?;
    Some(decoded(value))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        let escape = more.get(..2).filter(|_| *first == b'%');
        let digits = escape.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).expect("text")
}

/// A value as it stands in a form.
pub fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// What a subscriber does that wants all it is asked about, and takes all it gets.
pub fn willing(got: &Arrival) -> Act {
    match param(got, "hub.challenge") {
        Some(challenge) if got.method == "GET" => Act::Say(says(200, "", &challenge)),
        _ => OK.into(),
    }
}

/// A subscriber that wants all it is asked about, and takes all it gets.
pub fn subscriber() -> Target {
    Target::new(willing)
}

/// One that confirms and answers the rest by that script.
pub fn subscriber_who(mut script: impl FnMut(&Arrival) -> Act + Send + 'static) -> Target {
    Target::new(move |got| match param(got, "hub.challenge") {
        Some(_) => willing(got),
        None => script(got),
    })
}

/// A publisher: its server, and what its topic says now, a whole answer.
pub struct Publisher {
    pub target: Target,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Publisher {
    pub fn new(body: &str) -> Publisher {
        let answer = Arc::new(Mutex::new(Vec::new()));
        let said = Arc::clone(&answer);
        let publisher = Publisher {
            target: Target::new(move |_| said.lock().expect("no panic")[..].into()),
            answer,
        };
        publisher.now(body);
        publisher
    }

    /// The topic says that from now on.
    pub fn now(&self, body: &str) {
        self.answers(says(200, &format!("Content-Type: {ATOM}\r\n"), body));
    }

    /// The publisher's server answers that from now on.
    pub fn answers(&self, answer: Vec<u8>) {
        *self.answer.lock().expect("no panic") = answer;
    }

    pub fn topic(&self) -> String {
        self.target.url("/feed")
    }
}

/// The value of X-Hub-Signature by the specification's own words.
pub fn signature(method: &str, secret: &str, body: &[u8]) -> String {
    let algorithm = match method {
        "sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        "sha256" => hmac::HMAC_SHA256,
        "sha384" => hmac::HMAC_SHA384,
        "sha512" => hmac::HMAC_SHA512,
        other => panic!("no method of the specification: {other}"),
    };
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), body);
    let digits: Vec<String> = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    format!("{method}={}", digits.concat())
}
