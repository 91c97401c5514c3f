//! Both ends around the server: a client that dispatches, a target that takes and remembers.
//! They speak only what these checks need, and never the server's own code.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::report::Trouble;

/// Nobody here waits longer for bytes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A kept-alive connection to the server.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Client {
    pub fn connect(addr: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream: BufReader::new(stream),
        })
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub fn answer(&mut self) -> io::Result<Answer> {
        let (head, body) = message(&mut self.stream)?;
        let status = head.get(9..12).and_then(|digits| digits.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no answer: {head:?}")))?;
        Ok(Answer { status, body })
    }

    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())?;
        self.answer()
    }

    /// Posts a form to /dispatch, which must be accepted.
    pub fn dispatch(&mut self, form: &str) -> io::Result<()> {
        self.send(&dispatch(form))?;
        self.accepted()
    }

    /// The same; the message's id.
    pub fn accepted_id(&mut self, form: &str) -> io::Result<String> {
        self.send(&dispatch(form))?;
        let (head, body) = message(&mut self.stream)?;
        let mut lines = head.lines();
        let id = lines.find_map(|line| line.strip_prefix("Hookah-Id: "));
        let id = id.map(|id| id.trim().to_owned());
        id.ok_or_else(|| io::Error::other(format!("not accepted: {body}")))
    }

    /// The next answer must be a 202.
    pub fn accepted(&mut self) -> io::Result<()> {
        match self.answer()? {
            Answer { status: 202, .. } => Ok(()),
            Answer { body, .. } => Err(io::Error::other(format!("not accepted: {body}"))),
        }
    }
}

/// A POST of a form to /dispatch.
pub fn dispatch(form: &str) -> Vec<u8> {
    let length = form.len();
    format!(
        "POST /dispatch HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
    )
    .into_bytes()
}

/// The server's own number of that name.
pub fn metric(addr: SocketAddr, name: &str) -> io::Result<u64> {
    let body = Client::connect(addr)?.get("/metrics")?.body;
    let line = body
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no {name} in /metrics")))
}

/// Waits for `done`, looking again every few milliseconds.
pub fn until(
    what: &str,
    max: Duration,
    mut done: impl FnMut() -> io::Result<bool>,
) -> Result<Duration, Trouble> {
    let began = Instant::now();
    while !done()? {
        if began.elapsed() > max {
            return Err(Trouble::failed(format!("not within {max:?}: {what}")));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(began.elapsed())
}

/// A webhook that came: its head, its body.
pub type Webhook = (String, String);

/// A target that answers 200 to everything.
pub struct Target {
    addr: SocketAddr,
    taken: Arc<(Mutex<Vec<Webhook>>, Condvar)>,
}

impl Target {
    pub fn open() -> io::Result<Target> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let taken = Arc::<(Mutex<Vec<Webhook>>, Condvar)>::default();
        let shared = Arc::clone(&taken);
        // It ends with the process: there are few, and each waits without using anything.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Ok(Target { addr, taken })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    /// A form that sends `rest` here.
    pub fn form(&self, rest: &str) -> String {
        format!("_url=http://{}/&{rest}", self.addr)
    }

    /// Waits until `count` webhooks have come.
    pub fn wait(&self, count: usize) -> io::Result<()> {
        let (list, more) = &*self.taken;
        let list = list.lock().unwrap_or_else(PoisonError::into_inner);
        let short = |list: &mut Vec<Webhook>| list.len() < count;
        let (list, waited) = more
            .wait_timeout_while(list, PATIENCE, short)
            .map_err(|_| io::Error::other("the target is broken"))?;
        if waited.timed_out() {
            let text = format!("{} of {count} webhooks after {PATIENCE:?}", list.len());
            return Err(io::Error::other(text));
        }
        Ok(())
    }
}

fn serve(stream: TcpStream, shared: &(Mutex<Vec<Webhook>>, Condvar)) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut answers = stream.try_clone()?;
    let mut requests = BufReader::new(stream);
    loop {
        let webhook = message(&mut requests)?;
        answers.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        shared
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(webhook);
        shared.1.notify_all();
    }
}

/// A head, and the body of the length it gives.
fn message(from: &mut impl BufRead) -> io::Result<(String, String)> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let start = head.len();
        if from.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = head[start..].trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok((head, String::from_utf8_lossy(&body).into_owned()))
}
