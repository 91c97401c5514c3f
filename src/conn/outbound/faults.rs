//! The words for what went wrong on a line to a target.
//! It decides nothing; it only names.

use crate::model::{Ending, Fault};
use crate::port::Ended;

/// What came is no answer.
pub(super) fn protocol(detail: &'static str) -> Ending {
    Ending::Fault {
        fault: Fault::Protocol,
        detail,
    }
}

/// Why there is no connection.
pub(super) fn connect_fault(why: Ended) -> Ending {
    let detail = match why {
        Ended::Tls(detail) => {
            let fault = Fault::Tls;
            return Ending::Fault { fault, detail };
        }
        Ended::Refused => "refused",
        Ended::Unreachable => "unreachable",
        Ended::Reset | Ended::Finished => "reset",
        Ended::TimedOut => "connect_timeout",
        Ended::Exhausted => "out_of_descriptors",
        Ended::Broken => "broken",
    };
    Ending::Fault {
        fault: Fault::Connect,
        detail,
    }
}
