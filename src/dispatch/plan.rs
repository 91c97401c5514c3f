//! What a message's deliveries have in common, from what its options said: when it is taken in, and
//! again when its deliveries come back out of the store. It keeps nothing.

use std::time::Duration;

use super::Settings;
use super::deliveries::Plan;
use super::delivery::Terms;
use super::intake::Intake;
use super::options::{Given, Options};
use crate::base::time::{Mono, Now};
use crate::model::Message;
use crate::model::record::Work;

impl Plan {
    /// The plan of a message that is being taken in.
    pub(super) fn asked(now: Now, intake: &Intake<'_>) -> Plan {
        let options = &intake.options;
        let plan = Plan::of_options(options);
        Plan {
            method: intake.method,
            delay: options.not_before.since(now.wall),
            expires: now.mono + options.expires_at.since(now.wall),
            terms: Terms {
                hops: intake.hops,
                ..plan.terms
            },
            ..plan
        }
    }

    /// The plan of a delivery that comes back: what its message keeps of its options, with the
    /// server's defaults as they are now.
    ///
    /// # Errors
    /// Why it cannot go on, in one word: to go on without what was asked for, unsigned for one,
    /// would be worse than to end.
    pub fn of(
        message: &Message,
        work: &Work,
        settings: &Settings,
        now: Now,
    ) -> Result<Plan, &'static str> {
        let text = message.extra.as_ref().map_or("", |extra| &extra.options);
        let given = Given::of_text(text, now.wall).ok_or("options_unreadable")?;
        if given.names_unknown_key(settings) {
            return Err("signing_key_gone");
        }
        let options = given.settle(settings, now.wall);
        let plan = Plan::of_options(&options.map_err(|_| "options_refused")?);
        Ok(Plan {
            method: message.method,
            delay: work.place.due.since(now.wall),
            expires: now.mono + work.expires.since(now.wall),
            terms: Terms {
                hops: message.hops,
                ..plan.terms
            },
            ..plan
        })
    }

    /// What the options alone say: without times, method and hops.
    fn of_options(options: &Options) -> Plan {
        Plan {
            method: crate::model::Method::Post,
            delay: Duration::ZERO,
            retries: options.retries,
            schedule: options.schedule.clone(),
            timeout: options.timeout,
            strict: options.strict,
            gates: options.gates.clone(),
            expires: Mono::NEVER,
            terms: Terms {
                hops: 0,
                redirects: options.redirects,
                capture: options.capture,
                success: options.success.clone(),
                signer: options.signer.clone(),
                tells: options.tells.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests;
