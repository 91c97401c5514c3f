//! A million deliveries that wait: the server starts at once, and holds next to nothing of them.

use std::time::{Duration, Instant};

use super::site::{Server, Site};
use crate::peer::{Client, metric, until};
use crate::process;
use crate::report::{Result, ensure};

const WAITING: u64 = 1_000_000;
/// Items in one request.
const BATCH: u64 = 10_000;
/// Different origins that they are for.
const ORIGINS: u64 = 1_000;
const READY_MAX: Duration = Duration::from_secs(5);
/// The bound of issue and README, in bytes each.
const EACH_MAX: u64 = 200;

pub fn million() -> Result {
    let site = Site::new("million")?;
    let mut server = Server::start(&site.dir, &[])?;
    let addr = server.listens()?;
    let empty = process::status(server.id(), "VmRSS")?;
    let began = Instant::now();
    let mut client = Client::connect(addr)?;
    for first in (0..WAITING).step_by(BATCH as usize) {
        let body: String = (first..first + BATCH).map(item).collect();
        let head = format!(
            "POST /dispatch/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\
             Content-Type: application/x-ndjson\r\n\r\n",
            body.len()
        );
        client.send(&[head.as_bytes(), body.as_bytes()].concat())?;
        let answer = client.answer()?;
        ensure(answer.status == 202, || {
            let start: String = answer.body.chars().take(200).collect();
            format!("a batch was answered {}: {start}", answer.status)
        })?;
        ensure(!answer.body.contains("\"error\""), || {
            let start: String = answer.body.chars().take(200).collect();
            format!("an item was refused: {start}")
        })?;
    }
    let posted = began.elapsed();
    let waiting = metric(addr, "hookah_deliveries_waiting")?;
    ensure(waiting == WAITING, || format!("{waiting} wait"))?;
    let filled = process::status(server.id(), "VmRSS")?;
    server.kill()?;
    let began = Instant::now();
    let mut server = Server::start(&site.dir, &[])?;
    let addr = server.listens()?;
    until("it is ready", Duration::from_secs(60), || {
        Ok(Client::connect(addr)?.get("/ready")?.status == 200)
    })?;
    let ready = began.elapsed();
    let waiting = metric(addr, "hookah_deliveries_waiting")?;
    ensure(waiting == WAITING, || format!("{waiting} wait afterwards"))?;
    let resident = process::status(server.id(), "VmRSS")?;
    let held = metric(addr, "hookah_bytes_held")?;
    ensure(ready < READY_MAX, || format!("ready after {ready:?}"))?;
    let each = (resident.saturating_sub(empty) << 10) / WAITING;
    ensure(each <= EACH_MAX, || format!("{each} resident bytes each"))?;
    Client::connect(addr)?.dispatch("_topic=t&a=1")?;
    let file = std::fs::metadata(site.dir.join("hookah.db"))?.len() >> 20;
    Ok(format!(
        "posted in {posted:?}, ready {ready:?} after kill -9; resident {empty} KiB empty, {filled} \
         filled, {resident} after the start ({each} bytes each, {held} on the account); file \
         {file} MiB"
    ))
}

fn item(number: u64) -> String {
    // Addresses of this machine at which nobody ever calls: they wait for two hours.
    let (host, port) = (number % ORIGINS % 250 + 1, 9_000 + number % ORIGINS / 250);
    format!(
        "{{\"url\":\"http://127.0.0.{host}:{port}/{number}\",\"delay\":\"2h\",\"body\":\"x\"}}\n"
    )
}
