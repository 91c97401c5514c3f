//! The grammar of HTTP/1.1, both sides: bytes to messages and back.
//! No connection, no time, no I/O: buffers belong to the caller, who is told what was consumed.
//!
//! A request goes through [`head::HeadScan`] until its head is complete, then through
//! [`request::parse`], then its body through [`body::BodyReader`], and [`mod@write`] renders the
//! answer. [`response`] does the same for what comes back from a target.

pub mod accept;
pub mod body;
pub mod chunk;
pub mod date;
pub mod field;
pub mod form;
pub mod head;
pub mod host;
pub mod json;
pub mod media;
pub mod multipart;
pub mod origin;
pub mod problem;
pub mod redirect;
pub mod request;
pub mod response;
pub mod target;
pub mod write;
