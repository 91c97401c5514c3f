//! What a scripted peer does on one link, step by step. It never decides; clients and targets write
//! the steps.

use std::collections::VecDeque;

use crate::net::{LinkId, Net};
use crate::world::{Event, World};

/// One step of a peer.
#[derive(Clone, Debug)]
pub enum Step {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Do nothing for so many microseconds.
    Wait(u64),
    /// Wait until so many final answers have come in all.
    Answers(usize),
    /// Wait until an interim answer (100) or a final one has come.
    Continue,
    /// Finish sending.
    Fin,
    /// Finish, and listen to nothing more.
    Close,
    /// Reset.
    Reset,
    /// Stop reading.
    Deaf,
    /// Read again.
    Listen,
}

/// The steps that are left.
#[derive(Debug, Default)]
pub struct Script {
    steps: VecDeque<Step>,
    asleep_until: Option<u64>,
    /// Final answers that have come.
    pub answers: usize,
    /// A 100 has come.
    pub may_continue: bool,
}

impl Script {
    /// Sends other bytes than these first.
    pub fn instead(&mut self, before: &[u8], bytes: Vec<u8>) {
        let first = self.steps.front_mut();
        let Some(Step::Send(sent)) = first.filter(|it| matches!(it, Step::Send(_))) else {
            panic!("it begins otherwise")
        };
        assert_eq!(sent, before);
        *sent = bytes;
    }

    /// These steps.
    pub fn new(steps: Vec<Step>) -> Script {
        Script {
            steps: steps.into(),
            ..Script::default()
        }
    }

    /// Adds steps behind what is left.
    pub fn extend(&mut self, steps: Vec<Step>) {
        self.steps.extend(steps);
    }

    /// Forgets the rest: the link is gone.
    pub fn stop(&mut self) {
        self.steps.clear();
        self.asleep_until = None;
    }

    /// Goes on as far as it can.
    pub fn run(&mut self, world: &mut World, net: &mut Net, link: LinkId) {
        if self.asleep_until.is_some_and(|until| until > world.at()) {
            return;
        }
        self.asleep_until = None;
        while let Some(step) = self.steps.pop_front() {
            match step {
                Step::Send(bytes) => net.send(world, link, &bytes),
                Step::Wait(span) => {
                    self.asleep_until = Some(world.at() + span);
                    world.after(span, Event::Wake(link));
                    return;
                }
                Step::Answers(count) if self.answers < count => {
                    self.steps.push_front(Step::Answers(count));
                    return;
                }
                Step::Continue if !self.may_continue && self.answers == 0 => {
                    self.steps.push_front(Step::Continue);
                    return;
                }
                Step::Answers(_) | Step::Continue => {}
                Step::Fin => net.finish(world, link),
                Step::Close => net.hang_up(world, link),
                Step::Reset => net.reset(world, link),
                Step::Deaf => net.set_deaf(world, link, true),
                Step::Listen => net.set_deaf(world, link, false),
            }
        }
    }
}
