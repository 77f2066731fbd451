//! Nothing is consumed before every sink, and the store that the module is granted, has reached its server: a wrong
//! address or password is said at once, and not by the first record. A server that is away is waited for; one that refuses needs a person.

use std::time::{Duration, Instant};

use super::{
    flight::{Flight, Stuck},
    lane::End,
    shared::Shared,
    status::State,
    steering::Wish,
};
use crate::contact::Contact;

/// How often they are asked. They try by themselves.
const LOOK: Duration = Duration::from_millis(10);

/// How often the log says it anew where the reason changes: sinks of one cluster have one each.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// Waits until all servers that a lane needs were reached.
///
/// # Errors
/// Why the lane ends instead: it was told to stop, or a server refuses.
pub(super) fn wait(shared: &Shared, lane: usize, flight: &Flight) -> Result<(), End> {
    let (mut said, mut logged): (_, Option<Instant>) = (None, None);
    let reached = loop {
        match shared.steering.wish() {
            Wish::Stop(_) => break Err(End::Stopped { left: 0 }),
            Wish::Rest(_) => break Err(End::Resting { left: 0 }),
            Wish::Run | Wish::Pause => {}
        }
        match flight.contact().and(shared.release().granted().contact()) {
            Contact::Made => break Ok(()),
            Contact::Failed(reason) => break Err(End::Stuck(Stuck::Failed(reason))),
            Contact::Over(reason) => break Err(End::Stuck(Stuck::Restart(reason))),
            Contact::Waits(None) => {}
            Contact::Waits(Some(reason)) if said.as_ref() == Some(&reason) => {}
            Contact::Waits(Some(reason)) => {
                if logged.is_none_or(|at| at.elapsed() >= SAY_AGAIN) {
                    logged = Some(Instant::now());
                    tracing::warn!(
                        pipeline = shared.spec.name,
                        lane,
                        reason,
                        "nothing is read before every server answers"
                    );
                }
                shared.set_trouble(lane, Some((State::Stalled, reason.clone())));
                said = Some(reason);
            }
        }
        shared.steering.wait(LOOK);
    };
    if said.is_some() {
        shared.set_trouble(lane, None);
    }
    reached
}
