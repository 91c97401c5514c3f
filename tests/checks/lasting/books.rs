//! Both ends' books: which messages were answered with 202, and which came to the target, when.
//! Neither speaks the server's own code.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Nobody here waits longer for bytes.
const PATIENCE: Duration = Duration::from_secs(40);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When the target has answered a message with 200: each time.
type Taken = BTreeMap<String, Vec<Instant>>;

/// A target that stays while servers come and go.
pub struct Target {
    addr: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    delay_ms: Arc<AtomicU64>,
}

impl Target {
    pub fn open() -> io::Result<Target> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        let taken = Arc::<Mutex<Taken>>::default();
        let delay_ms = Arc::<AtomicU64>::default();
        let (book, delay) = (Arc::clone(&taken), Arc::clone(&delay_ms));
        // It ends with the process: there are few, and each waits without using anything.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (book, delay) = (Arc::clone(&book), Arc::clone(&delay));
                thread::spawn(move || serve(stream, &book, &delay));
            }
        });
        Ok(Target {
            addr,
            taken,
            delay_ms,
        })
    }

    /// From now on it thinks so long about each webhook.
    pub fn slow_down(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.delay_ms.store(delay, Ordering::Relaxed);
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Which of these never came.
    pub fn missing(&self, acked: &[String]) -> Vec<String> {
        let taken = locked(&self.taken);
        let missing = acked.iter().filter(|id| !taken.contains_key(*id));
        missing.cloned().collect()
    }

    /// Those that came more than once, and when they came first.
    pub fn repeated(&self) -> Vec<(String, Instant, usize)> {
        let taken = locked(&self.taken);
        let more = taken.iter().filter(|(_, times)| times.len() > 1);
        let row = |(id, times): (&String, &Vec<Instant>)| (id.clone(), times[0], times.len());
        more.map(row).collect()
    }
}

fn serve(stream: TcpStream, taken: &Mutex<Taken>, delay: &AtomicU64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut answers = stream.try_clone()?;
    let mut requests = BufReader::new(stream);
    loop {
        let (head, body) = message(&mut requests)?;
        let field = |name: &str| field(&head, name).unwrap_or_default().to_owned();
        let delay = delay.load(Ordering::Relaxed);
        if delay > 0 {
            thread::sleep(Duration::from_millis(delay));
        }
        // One in eight fails once, and waits for its retry while servers come and go.
        let unlucky = field("webhook-id").ends_with(['0', '1', '2', '3']);
        if body.contains("flaky=1") && unlucky && field("hookah-attempt") == "1" {
            answers.write_all(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        answers.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        let mut taken = locked(taken);
        let times = taken.entry(field("webhook-id")).or_default();
        times.push(Instant::now());
    }
}

/// A field's value, its name in any case.
fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A head, and the body of the length it gives.
pub fn message(from: &mut impl BufRead) -> io::Result<(String, String)> {
    let mut head = String::new();
    loop {
        let start = head.len();
        if from.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if head[start..].trim_end().is_empty() {
            break;
        }
    }
    let length = field(&head, "content-length").unwrap_or("0");
    let mut body = vec![0; length.parse().map_err(io::Error::other)?];
    from.read_exact(&mut body)?;
    Ok((head, String::from_utf8_lossy(&body).into_owned()))
}

/// What clients were answered.
#[derive(Default)]
pub struct Answers {
    /// Ids of messages that were accepted.
    pub acked: Vec<String>,
    /// Times from the request to its 202.
    pub waits: Vec<Duration>,
    /// How often each other status came.
    pub refused: BTreeMap<u16, u64>,
}

/// Clients that post one message after the other until they are told to stop, or nobody answers.
pub struct Clients {
    answers: Arc<Mutex<Answers>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    /// `form` is what each posts; between two posts it waits for `pause`.
    pub fn start(count: usize, server: SocketAddr, form: &str, pause: Duration) -> Clients {
        let answers = Arc::<Mutex<Answers>>::default();
        let stop = Arc::<AtomicBool>::default();
        let client = |_| {
            let (answers, stop) = (Arc::clone(&answers), Arc::clone(&stop));
            let form = form.to_owned();
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if post_on(server, &form, pause, &answers, &stop).is_err() {
                        // The server is gone, or its line is: a moment later it is clear which.
                        thread::sleep(Duration::from_millis(5));
                    }
                }
            })
        };
        let threads = (0..count).map(client).collect();
        Clients {
            answers,
            stop,
            threads,
        }
    }

    /// Accepted by now.
    pub fn accepted(&self) -> usize {
        locked(&self.answers).acked.len()
    }

    /// Refused with that status by now.
    pub fn refused(&self, status: u16) -> u64 {
        let answers = locked(&self.answers);
        answers.refused.get(&status).copied().unwrap_or(0)
    }

    /// Ends them; what they were answered.
    pub fn stop(self) -> Answers {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
        std::mem::take(&mut *locked(&self.answers))
    }
}

/// Posts on one line until it breaks.
fn post_on(
    server: SocketAddr,
    form: &str,
    pause: Duration,
    answers: &Mutex<Answers>,
    stop: &AtomicBool,
) -> io::Result<()> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = BufReader::new(stream);
    let length = form.len();
    let request = format!(
        "POST /dispatch HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
    );
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        line.get_mut().write_all(request.as_bytes())?;
        let (head, _) = message(&mut line)?;
        let status = head.get(9..12).and_then(|digits| digits.parse().ok());
        let status: u16 = status.ok_or_else(|| io::Error::other("no answer"))?;
        let mut answers = locked(answers);
        match (status, field(&head, "hookah-id")) {
            (202, Some(id)) => {
                answers.acked.push(id.to_owned());
                answers.waits.push(began.elapsed());
            }
            _ => *answers.refused.entry(status).or_default() += 1,
        }
        drop(answers);
        thread::sleep(pause);
    }
    Ok(())
}
