//! The one table of counters and gauges, and their values and those of the distributions.
//! It never formats or exports anything; whoever shows the numbers walks `Counter::ALL`.

use super::histogram::{Histogram, Values};

/// What kind of number a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl Kind {
    /// The word of the Prometheus text format's TYPE line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Counter or gauge.
    pub kind: Kind,
    /// The metric's name in Prometheus style; a counter's ends in `_total`.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
}

macro_rules! table {
    ($($kind:ident $variant:ident $name:literal $help:literal;)+) => {
        /// A number that Hookah keeps about itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Counter {
            $(#[doc = $help] $variant,)+
        }

        impl Counter {
            /// Every row, in the table's order.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant,)+];

            /// Kind, name and help.
            #[must_use]
            pub fn row(self) -> Row {
                match self {
                    $(Counter::$variant => Row { kind: Kind::$kind, name: $name, help: $help },)+
                }
            }
        }
    };
}

table! {
    Gauge Started "hookah_start_time_seconds" "When the process started, in unix seconds.";
    Counter Requests "hookah_requests_total" "Requests whose head was read.";
    Counter RequestsRefused "hookah_requests_refused_total" "Requests answered with an error.";
    Counter AuthMissing "hookah_auth_missing_total"
        "Requests refused because they showed no token.";
    Counter AuthFailed "hookah_auth_failed_total"
        "Requests refused because what they showed was wrong or had expired.";
    Counter AuthThrottled "hookah_auth_throttled_total"
        "Those of them that came from an address with too many.";
    Counter Forbidden "hookah_forbidden_total"
        "Requests, and messages of batches, refused because their token does not allow them.";
    Counter TokenRateLimited "hookah_token_rate_limited_total"
        "Requests refused because the rate of their token was used up.";
    Gauge Tokens "hookah_tokens" "Tokens that are known.";
    Counter StreamsRevoked "hookah_streams_revoked_total"
        "Streams and polls ended because their token was taken away or changed.";
    Counter HostsForeign "hookah_hosts_foreign_total"
        "Requests refused because they named a host that is not this server.";
    Counter OriginsForeign "hookah_origins_foreign_total"
        "Requests refused because a page of another site sent them.";
    Counter MessagesAccepted "hookah_messages_accepted_total" "Messages answered with 202.";
    Counter MessagesRepeated "hookah_messages_repeated_total"
        "Requests that were taken before under the same idempotency key.";
    Counter MessagesRefusedForMemory "hookah_messages_refused_for_memory_total"
        "Messages refused because the memory bound was reached.";
    Counter RequestsRefusedForMemory "hookah_requests_refused_for_memory_total"
        "Requests ended while they came, or not shown an answer, for want of memory.";
    Counter LinesOpened "hookah_lines_opened_total" "Connections taken in or made.";
    Counter LinesRefused "hookah_lines_refused_total" "Connections refused at a bound.";
    Counter LinesRefusedByAddress "hookah_lines_refused_by_address_total"
        "Connections of those refused because their address had its share.";
    Counter HeadsRefused "hookah_heads_refused_total"
        "Requests refused because of the size of their head or target, or the number of fields.";
    Counter BodiesRefused "hookah_bodies_refused_total"
        "Requests refused because of the size of their body.";
    Counter ReadsPaused "hookah_reads_paused_total"
        "Times that a client was not read on because it had too many answers to take.";
    Counter LinesClosed "hookah_lines_closed_total" "Connections closed.";
    Gauge LinesInbound "hookah_lines_inbound" "Clients' connections open now.";
    Gauge LinesOutbound "hookah_lines_outbound" "Connections to targets open now.";
    Counter Lookups "hookah_lookups_total" "Names that were looked up beyond the cache.";
    Counter LookupsFailed "hookah_lookups_failed_total" "Names for which no address was found.";
    Counter DatagramsIgnored "hookah_datagrams_ignored_total"
        "Datagrams from a name server that did not answer the question.";
    Gauge CallsWaiting "hookah_calls_waiting" "Calls that wait in their lanes for a line.";
    Gauge Flows "hookah_flows" "Flows that have deliveries, or a span of their rate to wait out.";
    Gauge FlowsWaiting "hookah_flows_waiting"
        "Deliveries that are due and held by the rate or the parallelism of their flow.";
    Gauge Queues "hookah_queues" "Queues that have deliveries in memory.";
    Gauge Lanes "hookah_lanes" "Origins that are called, paused, or have failed of late.";
    Counter BreakersOpened "hookah_breakers_opened_total"
        "Times that a lane stopped calling an origin which kept failing.";
    Counter TargetsForbidden "hookah_targets_forbidden_total"
        "Targets refused because of their address, at intake or before a call.";
    Gauge Timers "hookah_timers" "Timers armed now.";
    Gauge Streams "hookah_streams" "Streams open now.";
    Gauge Topics "hookah_topics" "Topics that have streams or kept messages.";
    Gauge TopicsBytes "hookah_topics_bytes"
        "Bytes of topics, of messages they keep and of frames that wait for streams.";
    Counter BacklogCrowdedOut "hookah_backlog_crowded_out_total"
        "Messages that topics forgot because all topics together kept too much.";
    Counter StreamsSlow "hookah_streams_slow_total"
        "Streams ended because they were too far behind.";
    Counter StreamsMissed "hookah_streams_missed_total"
        "Messages that slow streams lost because they asked for that.";
    Counter StreamsRefused "hookah_streams_refused_total"
        "Streams refused at their bound, or while the server was stopping.";
    Counter BytesIn "hookah_bytes_in_total" "Bytes received on all lines.";
    Counter BytesOut "hookah_bytes_out_total" "Bytes sent on all lines.";
    Counter Attempts "hookah_attempts_total" "Attempts begun to deliver a message.";
    Counter AttemptsFailed "hookah_attempts_failed_total" "Attempts that did not deliver.";
    Counter Resends "hookah_resends_total"
        "Calls sent again at once because the kept-alive line was stale.";
    Counter DeliveriesDelivered "hookah_deliveries_delivered_total" "Deliveries the target took.";
    Counter DeliveriesFailed "hookah_deliveries_failed_total"
        "Deliveries given up: retries used up, or a final answer.";
    Counter DeliveriesExpired "hookah_deliveries_expired_total"
        "Deliveries given up for their age.";
    Counter DeliveriesCanceled "hookah_deliveries_canceled_total" "Deliveries called off.";
    Gauge DeliveriesWaiting "hookah_deliveries_waiting" "Deliveries that have not ended.";
    Gauge DeliveriesStored "hookah_deliveries_stored"
        "Deliveries of those that wait in the store alone and hold no memory.";
    Gauge Subscriptions "hookah_subscriptions" "Subscriptions at the hub, verified or not.";
    Counter VerificationsConfirmed "hookah_verifications_confirmed_total"
        "Verifications that a subscriber confirmed.";
    Counter VerificationsFailed "hookah_verifications_failed_total"
        "Verifications that a subscriber did not confirm, or not in time.";
    Counter Denials "hookah_denials_total" "Subscriptions denied after they were asked for.";
    Counter LeasesEnded "hookah_leases_ended_total" "Subscriptions whose lease ended.";
    Counter Fetches "hookah_fetches_total" "Fetches of topics begun.";
    Counter FetchesFailed "hookah_fetches_failed_total"
        "Fetches of topics that brought nothing to distribute.";
    Counter NoticesDelivered "hookah_notices_delivered_total"
        "Notices of topics that a subscriber took.";
    Counter NoticesFailed "hookah_notices_failed_total"
        "Attempts to deliver a notice that failed.";
    Gauge BytesHeld "hookah_bytes_held" "Bytes of messages, deliveries and buffers in memory.";
    Counter TimersFired "hookah_timers_fired_total" "Timers fired.";
    Counter Turns "hookah_turns_total" "Turns of the event loop.";
    Counter StoodStill "hookah_stood_still_total"
        "Times that the loop came late by more than a second: stopped, suspended or too busy.";
    Counter PanicsCaught "hookah_panics_caught_total" "Panics caught at the boundary of one fact.";
    Counter AcceptErrors "hookah_accept_errors_total"
        "Failures to accept a connection, as for want of descriptors.";
    Counter Handshakes "hookah_handshakes_total" "TLS handshakes with clients that succeeded.";
    Counter HandshakesFailed "hookah_handshakes_failed_total"
        "Clients' connections that ended because of TLS, most of them in the handshake.";
    Counter TimeoutsHandshake "hookah_timeouts_handshake_total"
        "Lines closed waiting for the end of a TLS handshake.";
    Counter TimeoutsLinger "hookah_timeouts_linger_total"
        "Lingering closes ended by their deadline.";
    Counter TimeoutsHead "hookah_timeouts_head_total" "Lines closed waiting for a request head.";
    Counter TimeoutsBody "hookah_timeouts_body_total" "Lines closed waiting for a request body.";
    Counter TimeoutsSlowBody "hookah_timeouts_slow_body_total"
        "Lines closed because a request's body came too slowly.";
    Counter TimeoutsIdle "hookah_timeouts_idle_total" "Idle kept-alive lines closed.";
    Counter TimeoutsStall "hookah_timeouts_stall_total"
        "Lines closed because the peer took no byte of an answer.";
}

/// The values, all zero at the start.
#[derive(Clone, Debug)]
pub struct Stats {
    values: [u64; Counter::ALL.len()],
    distributions: [Values; Histogram::ALL.len()],
}

impl Stats {
    /// All zero.
    #[must_use]
    pub fn new() -> Stats {
        Stats {
            values: [0; Counter::ALL.len()],
            distributions: [Values::default(); Histogram::ALL.len()],
        }
    }

    /// Adds `count` to a counter or gauge.
    pub fn add(&mut self, counter: Counter, count: u64) {
        let value = &mut self.values[counter as usize];
        *value = value.wrapping_add(count);
    }

    /// Takes `count` from a gauge, which must hold as much.
    pub fn sub(&mut self, gauge: Counter, count: u64) {
        debug_assert_eq!(gauge.row().kind, Kind::Gauge, "{gauge:?} only grows");
        let value = &mut self.values[gauge as usize];
        debug_assert!(*value >= count, "{gauge:?}: {count} from {value}");
        *value = value.saturating_sub(count);
    }

    /// Puts a gauge at `value`.
    pub fn set(&mut self, gauge: Counter, value: u64) {
        debug_assert_eq!(gauge.row().kind, Kind::Gauge, "{gauge:?} only grows");
        self.values[gauge as usize] = value;
    }

    /// Adds one observation to a distribution, in the unit of its row.
    pub fn observe(&mut self, histogram: Histogram, value: u64) {
        self.distributions[histogram as usize].observe(histogram.row().bounds, value);
    }

    /// A distribution as it is now.
    #[must_use]
    pub fn distribution(&self, histogram: Histogram) -> &Values {
        &self.distributions[histogram as usize]
    }

    /// The value now.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.values[counter as usize]
    }
}

impl Default for Stats {
    fn default() -> Stats {
        Stats::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_keeps_to_the_conventions() {
        let mut names = BTreeSet::new();
        for counter in Counter::ALL {
            let Row { kind, name, help } = counter.row();
            assert!(names.insert(name), "{name} stands twice");
            assert!(name.starts_with("hookah_"), "{name}");
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(name.bytes().all(plain), "{name}");
            assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
            assert!(
                help.ends_with('.') && !help.contains(['\n', '\\']),
                "{name}: {help}"
            );
        }
    }

    #[test]
    fn each_row_has_its_own_value() {
        let mut stats = Stats::new();
        for (number, counter) in Counter::ALL.iter().enumerate() {
            stats.add(*counter, number as u64);
            stats.add(*counter, 1);
        }
        for (number, counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(stats.get(*counter), number as u64 + 1, "{counter:?}");
        }
    }

    #[test]
    fn a_gauge_goes_both_ways() {
        let mut stats = Stats::default();
        stats.add(Counter::LinesInbound, 3);
        stats.sub(Counter::LinesInbound, 2);
        assert_eq!(stats.get(Counter::LinesInbound), 1);
        stats.set(Counter::BytesHeld, 70);
        assert_eq!(stats.get(Counter::BytesHeld), 70);
        assert_eq!(
            (Kind::Gauge.as_str(), Kind::Counter.as_str()),
            ("gauge", "counter")
        );
    }

    #[test]
    #[should_panic(expected = "only grows")]
    #[cfg(debug_assertions)]
    fn a_counter_never_shrinks() {
        Stats::new().sub(Counter::Requests, 0);
    }
}
