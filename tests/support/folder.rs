//! A folder of a story's own, for a store that outlives its server.
//!
//! Use it with `#[path = "../support/folder.rs"] mod folder;`, beside `client`, `message` and
//! `server`.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use rusqlite::Connection;

use crate::client::Client;
use crate::message::PATIENCE;
use crate::server::Server;

/// A folder that is removed with its owner.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hookah-lasting-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a folder");
        Folder(path)
    }

    /// Its own path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The store's file.
    pub fn file(&self) -> PathBuf {
        self.0.join("hookah.db")
    }

    /// A server with this store and these flags, on a free port of 127.0.0.1, once it is ready.
    pub fn server(&self, flags: &[&str]) -> Server {
        let store = format!("--store=sqlite:{}", self.file().display());
        let mut all = vec!["--port", "0", &store];
        all.extend(flags);
        let server = Server::with(all);
        let end = Instant::now() + PATIENCE;
        let ready = "GET /ready HTTP/1.1\r\nHost: h\r\n\r\n";
        while Client::connect(server.addr()).send(ready).answer().status != 200 {
            assert!(Instant::now() < end, "it is never ready");
        }
        server
    }

    /// Deliveries in the file that have not ended, as people see them with its own shell.
    pub fn waiting(&self) -> u64 {
        let db = Connection::open(self.file()).expect("the file");
        let count = db.query_row("SELECT count(*) FROM work", [], |row| row.get::<_, i64>(0));
        count.expect("a count").cast_unsigned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The process ends at once, with whatever it has not written.
pub fn kill(server: Server) {
    server.signal("KILL");
    server.wait();
}
