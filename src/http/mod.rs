//! The grammar of HTTP/1.1: bytes to messages and back. No connection, no time, no I/O.

pub mod form;
pub mod media;
pub mod multipart;
pub mod problem;
