//! The conformance suite of queues: what every backend has to keep, row by row.

use super::*;
