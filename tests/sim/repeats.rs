//! Clients that send an order twice under one key, and those that send many at once: what they
//! send, and whether the answer is right.

use hookah::model::MessageId;
use serde_json::Value;

use crate::clients::{Client, Want};
use crate::http::Message;
use crate::oracle::Oracle;
use crate::order::{Order, Parts, Spelling};
use crate::rng::Rng;
use crate::script::Step;
use crate::world::{SECOND, World};

fn post(path: &str, fields: &str, body: &[u8]) -> Step {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost:4665\r\n{fields}");
    let head = format!("{head}Content-Length: {length}\r\n\r\n");
    Step::Send([head.as_bytes(), body].concat())
}

/// An order that is sent again under its key, and then something else under the same.
pub fn again(rng: &mut Rng, order: &Order) -> Client {
    let Parts { path, media, body } = order.parts();
    let key = format!("Idempotency-Key: order {}\r\n", order.number);
    let fields = format!("Content-Type: {media}\r\n{key}");
    let other = post("/dispatch/http://10.0.0.1/", &key, b"another");
    let mut steps = vec![post(&path, &fields, &body)];
    let pipelined = rng.chance(50);
    for step in [post(&path, &fields, &body), other] {
        if !pipelined {
            steps.push(Step::Wait(rng.between(0, 8 * SECOND)));
        }
        steps.push(step);
    }
    steps.extend([Step::Answers(3), Step::Close]);
    let number = order.number;
    let wants = vec![
        Want::Accepted(number),
        Want::Again(number),
        Want::Refused(&[422]),
    ];
    Client::new(steps, wants)
}

/// Orders in one batch, with nonsense between.
pub fn batch(rng: &mut Rng, orders: &[Order]) -> Client {
    let mut items = Vec::new();
    for order in orders {
        assert_eq!(
            order.spelling,
            Spelling::Path,
            "a body that a batch can carry"
        );
        items.push(order.item());
        items.push("{\"url\": \"gopher://10.0.0.1/\"}".to_owned());
    }
    let body = match rng.chance(50) {
        true => format!("[{}]", items.join(",\n")),
        false => items.join("\n"),
    };
    let steps = vec![
        post(
            "/dispatch/batch",
            "Content-Type: application/json\r\n",
            body.as_bytes(),
        ),
        Step::Answers(1),
        Step::Close,
    ];
    let numbers = orders.iter().map(|order| order.number).collect();
    Client::new(steps, vec![Want::Batch(numbers)])
}

/// The answer to an order that was sent again: the first one's, once more.
pub fn check_again(oracle: &Oracle, order: usize, answer: &Message) {
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.field("hookah-duplicate"), Some("true"), "{answer:?}");
    let id = answer.field("hookah-id").and_then(MessageId::parse);
    assert!(id.is_some(), "{answer:?}");
    assert_eq!(id, oracle.fates[order].promised, "another id for {order}");
}

/// The answer to a batch: an id for each order, and a refusal of what is between them.
pub fn check_batch(oracle: &mut Oracle, world: &World, orders: &[usize], answer: &Message) -> bool {
    if answer.status != 202 {
        assert!(answer.status == 503 && oracle.may_refuse, "{answer:?}");
        orders.iter().for_each(|order| oracle.refused(*order));
        return true;
    }
    let items: Vec<Value> = serde_json::from_slice(&answer.body).expect("an array");
    assert_eq!(items.len(), 2 * orders.len(), "{items:?}");
    for (pair, order) in items.chunks(2).zip(orders) {
        assert_eq!(pair[1]["error"]["status"], 400, "{pair:?}");
        match pair[0]["id"].as_str() {
            Some(id) => oracle.promised(world, *order, id),
            None => {
                let busy = oracle.may_refuse && pair[0]["error"]["status"] == 503;
                assert!(busy, "{pair:?}");
                oracle.refused(*order);
            }
        }
    }
    false
}
