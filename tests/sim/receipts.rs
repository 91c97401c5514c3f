//! What the oracle knows of callbacks and errbacks: each end of a delivery whose order asked for
//! them is told exactly once, beside that end, and truly. It changes nothing.

use std::collections::BTreeMap;

use hookah::model::{Message as Stored, MessageId, Outcome};
use serde_json::Value;

use crate::http::Message;
use crate::net::LinkId;
use crate::oracle::{Oracle, Sent};
use crate::order::{CREDENTIALS, Order};

/// Receipts by their ids: of which message each tells.
#[derive(Debug, Default)]
pub struct Receipts(BTreeMap<MessageId, MessageId>);

/// Attempts at a receipt at most: the defaults are ten.
pub const ATTEMPTS_MAX: u32 = 10;

/// Where an order's target is told of it.
pub fn url(base: &str, order: usize) -> String {
    format!("{base}/told/{order}?from=sim")
}

/// The order in a request target made by `url`.
pub fn number(target: &str) -> Option<usize> {
    let rest = target.strip_prefix("/told/")?;
    rest.strip_suffix("?from=sim")?.parse().ok()
}

/// Of which message a request is, and which attempt at it.
pub fn labels(head: &Message) -> (MessageId, u32) {
    let id = head.field("webhook-id").and_then(MessageId::parse);
    let attempt = head.field("hookah-attempt");
    let attempt = attempt.and_then(|value| value.parse().ok());
    match (id, attempt) {
        (Some(id), Some(attempt)) => (id, attempt),
        _ => panic!("no webhook-id or no Hookah-Attempt in {:?}", head.fields),
    }
}

/// How many receipts that order has if it ends so.
pub fn count(order: &Order, outcome: Outcome) -> usize {
    let failed = matches!(outcome, Outcome::Failed | Outcome::Expired);
    usize::from(order.callback) + usize::from(order.errback && failed)
}

/// What every receipt that a target gets must be (dispatch.md section 7).
pub fn check(orders: &[Order], base: &str, order: usize, request: &Message) {
    let order = &orders[order];
    assert!(order.callback || order.errback, "nobody asked: {order:?}");
    assert_eq!(order.base, base, "told to somebody else: {order:?}");
    assert_eq!(request.word(0), "POST");
    assert_eq!(request.field("content-type"), Some("application/json"));
    for name in CREDENTIALS {
        let signed = order.private && name == "webhook-signature";
        assert_eq!(request.field(name).is_some(), signed, "{name} of {order:?}");
    }
    let body = read(&request.body);
    let url = format!("{base}{}", order.hook());
    assert_eq!(body["url"], url.as_str(), "{order:?}");
    assert_eq!(body["method"], order.method_out(), "{order:?}");
}

fn read(body: &[u8]) -> Value {
    let value = serde_json::from_slice(body);
    value.unwrap_or_else(|wrong| panic!("{wrong} in {:?}", String::from_utf8_lossy(body)))
}

impl Oracle {
    /// A message of the engine's own is handed to the store: it tells of an end that was handed
    /// over before it, and of nothing else.
    pub fn tells(&mut self, message: &Stored) {
        let body = read(&message.body);
        let id = body["id"].as_str().and_then(MessageId::parse);
        let id = id.unwrap_or_else(|| panic!("whose receipt is {body}"));
        let Some((_, outcome)) = self.end_of(id) else {
            panic!("a receipt of what has not ended: {body}")
        };
        assert_eq!(body["outcome"], outcome.as_str(), "{body}");
        let delivered = outcome == Outcome::Delivered;
        assert!(!delivered || body["error"].is_null(), "{body}");
        assert!(!delivered || body["status"].is_u64(), "{body}");
        assert!(
            outcome != Outcome::Failed || body["error"].is_string(),
            "{body}"
        );
        self.receipts.0.insert(message.id, id);
    }

    /// A receipt goes out.
    pub fn told(&mut self, orders: &[Order], order: usize, link: LinkId, head: &Message) {
        let (id, attempt) = labels(head);
        let of = self.receipts.0.get(&id);
        assert_eq!(of, self.fates[order].id.as_ref(), "{id} tells of another");
        assert!(
            self.kept.contains_key(&id),
            "{id} goes out before it is durable"
        );
        assert!(attempt <= ATTEMPTS_MAX, "attempt {attempt} at {id}");
        let Some(tap) = self.taps.get_mut(&link) else {
            return;
        };
        tap.open = Some(self.sent.len());
        self.sent.push(Sent {
            at: tap.began,
            order,
            attempt,
            first: tap.begun == 1,
            reply: None,
            retry_after: 0,
        });
        let target = orders[order].target;
        *self.sent_to.entry(target).or_default() += 1;
        self.check_lane(orders, target);
    }

    /// How many receipts tell of that order.
    pub fn receipts_of(&self, order: &Order) -> usize {
        let id = self.fates[order.number].id;
        self.receipts
            .0
            .values()
            .filter(|of| Some(**of) == id)
            .count()
    }

    /// The end of an order was told as often as it asked for.
    pub fn judge_receipts(&self, order: &Order, outcome: Outcome) {
        let told = self.receipts_of(order);
        assert_eq!(told, count(order, outcome), "receipts of {order:?}");
    }
}
