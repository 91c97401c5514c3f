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

/// The line broke before the answer was complete; `heard` says whether any of it had come.
pub(super) fn cut_short(heard: bool, why: Ended) -> Ending {
    match (heard, why) {
        // TLS 1.3 lets a server refuse after the client is done with the handshake.
        (_, Ended::Tls(_)) => connect_fault(why),
        (false, Ended::Finished | Ended::Unannounced) => protocol("closed_before_answer"),
        (false, _) => protocol("reset_before_answer"),
        (true, Ended::Finished | Ended::Unannounced) => protocol("closed_in_answer"),
        (true, _) => protocol("reset_in_answer"),
    }
}

/// The time for the answer is up.
pub(super) fn late(heard: bool) -> Ending {
    let detail = if heard {
        "answer_unfinished"
    } else {
        "no_answer"
    };
    Ending::Fault {
        fault: Fault::Timeout,
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
        Ended::Reset | Ended::Finished | Ended::Unannounced => "reset",
        Ended::TimedOut => "connect_timeout",
        Ended::Exhausted => "out_of_descriptors",
        Ended::Broken => "broken",
    };
    Ending::Fault {
        fault: Fault::Connect,
        detail,
    }
}
