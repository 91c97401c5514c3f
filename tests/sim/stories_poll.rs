//! Stories of polls: clients that ask again and again, and what they get in a calm world.

use crate::clients::{Client, Want};
use crate::crowd;
use crate::pollers::{self, Poller};
use crate::script::Step;
use crate::setup;
use crate::sim::Sim;
use crate::world::{Event, MS, SECOND};

fn publish(sim: &mut Sim, delay: u64, count: usize) {
    let (mut steps, mut wants) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (step, number) = crowd::publish(sim, &["news".to_owned()], 10);
        steps.push(step);
        wants.push(Want::Published(number));
    }
    steps.extend([Step::Answers(count), Step::Close]);
    sim.client(delay, Client::new(steps, wants));
}

fn ask(query: &str) -> Step {
    let head = format!("GET /stream?topic=news&{query} HTTP/1.1\r\nHost: a\r\n\r\n");
    Step::Send(head.into_bytes())
}

#[test]
fn who_polls_in_a_loop_gets_every_message_once() {
    for wait in [0, 1, 60] {
        let mut sim = setup::calm();
        let poller = pollers::poll(&mut sim, 0, Poller::new("news", wait, 40));
        for second in 1..10 {
            publish(&mut sim, second * SECOND / 4, 3);
        }
        publish(&mut sim, 5 * SECOND, 1);
        sim.run();
        let client = &sim.clients[poller];
        assert_eq!(client.got.len(), 40);
        let lines = client.poller.as_ref().map_or(&[][..], |it| &it.bytes);
        let lines = lines.split(|it| *it == b'\n').count() - 1;
        // Without waiting it is done before anything is published.
        assert_eq!(lines, if wait == 0 { 0 } else { 28 }, "{wait}");
    }
}

#[test]
fn a_poll_is_answered_at_once_when_a_message_comes() {
    let mut sim = setup::calm();
    let start = sim.world.at();
    let poller = pollers::poll(&mut sim, 0, Poller::new("news", 60, 1));
    publish(&mut sim, 7 * SECOND, 1);
    sim.run();
    let took = sim.clients[poller].got_at[0] - start;
    assert!((7 * SECOND..7 * SECOND + 50 * MS).contains(&took), "{took}");
}

#[test]
fn who_goes_while_it_waits_leaves_nothing_behind() {
    for leave in [Step::Close, Step::Reset, Step::Fin] {
        let mut sim = setup::calm();
        let steps = vec![ask("wait=60"), Step::Wait(SECOND), leave];
        let mut client = Client::new(steps, vec![Want::Page(204, false)]);
        client.lossy = true;
        sim.client(0, client);
        sim.run_for(3 * SECOND);
        sim.engine.check();
        assert!(sim.engine.is_idle(), "a seat is left");
        sim.run();
    }
}

#[test]
fn what_stands_behind_a_poll_is_answered_in_its_turn() {
    let mut sim = setup::calm();
    let health = Step::Send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n".to_vec());
    let steps = vec![
        ask("wait=3"),
        health,
        ask("wait=2"),
        Step::Answers(3),
        Step::Close,
    ];
    let wants = [204, 200, 204].map(|status| Want::Page(status, false));
    let client = sim.client(0, Client::new(steps, wants.to_vec()));
    let start = sim.world.at();
    sim.run();
    let at = &sim.clients[client].got_at;
    assert!((3 * SECOND..4 * SECOND).contains(&(at[0] - start)));
    assert!((5 * SECOND..6 * SECOND).contains(&(at[2] - start)));
}

#[test]
fn a_drain_answers_all_who_wait() {
    let mut sim = setup::calm();
    let start = sim.world.at();
    let polls = [0, 1, 2].map(|_| pollers::poll(&mut sim, 0, Poller::new("news", 60, 9)));
    sim.world.after(2 * SECOND, Event::Drain);
    sim.run();
    for poll in polls {
        let client = &sim.clients[poll];
        assert_eq!(client.got.len(), 1);
        assert!(client.got[0].connection("close"), "{:?}", client.got);
        assert!(client.got_at[0] < start + 3 * SECOND);
    }
}

#[test]
fn a_topic_that_is_deleted_is_forgotten() {
    let mut sim = setup::calm();
    publish(&mut sim, 0, 3);
    let request = |method: &str| {
        let head = format!("{method} /topics/news HTTP/1.1\r\nHost: a\r\n\r\n");
        Step::Send(head.into_bytes())
    };
    let steps = vec![
        Step::Wait(SECOND),
        request("GET"),
        request("DELETE"),
        Step::Answers(2),
        request("GET"),
        ask("poll=1"),
        Step::Answers(4),
        Step::Close,
    ];
    let wants = [200, 200, 404, 204].map(|status| Want::Page(status, false));
    let client = sim.client(0, Client::new(steps, wants.to_vec()));
    sim.run();
    let deleted = String::from_utf8_lossy(&sim.clients[client].got[1].body).into_owned();
    assert_eq!(deleted, "{\"topic\":\"news\",\"ended\":0,\"dropped\":3}\n");
}
