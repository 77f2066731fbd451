//! What is wished of a pipeline's lanes, and which of them are done with it.
//!
//! Lanes look here between batches. One that waits for something else meanwhile (for records) is woken when anything is
//! wished or set; each change is a **turn**, so that nobody waits for one that has been.

use std::{
    collections::BTreeMap,
    task::Waker,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// What the lanes are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Run,
    Pause,
    /// Deliver and commit what is in flight, until this moment at the latest, leave the group, and wait for another wish.
    Rest(Instant),
    /// Deliver and commit what is in flight, until this moment at the latest, and end.
    Stop(Instant),
}

pub(super) struct Steering {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    wish: Wish,
    /// Counts every wish, swap and change of controls.
    turn: u64,
    /// Lanes at rest, with the batches that each left in flight.
    resting: BTreeMap<usize, usize>,
    /// Lanes that have stopped but for their clients, with the same.
    drained: BTreeMap<usize, usize>,
    /// Fires of the timed trigger that were asked for by hand.
    asked: u64,
    /// By lane.
    wakers: BTreeMap<usize, Waker>,
}

impl Steering {
    pub(super) fn new(wish: Wish) -> Self {
        let state = State {
            wish,
            turn: 0,
            resting: BTreeMap::new(),
            drained: BTreeMap::new(),
            asked: 0,
            wakers: BTreeMap::new(),
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn wish(&self) -> Wish {
        self.state.lock().wish
    }

    /// The wish, and the turn that one has seen by it.
    pub(super) fn look(&self) -> (Wish, u64) {
        let state = self.state.lock();
        (state.wish, state.turn)
    }

    /// A stop is final.
    pub(super) fn set_wish(&self, wish: Wish) {
        self.turn(|state| {
            if !matches!(state.wish, Wish::Stop(_)) {
                state.wish = wish;
            }
        });
    }

    /// Something that lanes look for elsewhere has changed.
    pub(super) fn note_change(&self) {
        self.turn(|_| {});
    }

    /// Another release is live. A lane looks for it before every batch: one that waits for records is let be, since to
    /// come round once more would only keep it from the next.
    pub(super) fn note_release(&self) {
        drop(self.change(|_| {}));
    }

    /// Fires of the timed trigger that were asked for by hand, so far.
    pub(super) fn asked(&self) -> u64 {
        self.state.lock().asked
    }

    pub(super) fn ask_to_fire(&self) {
        self.turn(|state| state.asked += 1);
    }

    fn turn(&self, change: impl FnOnce(&mut State)) {
        let state = self.change(change);
        let wakers: Vec<Waker> = state.wakers.values().cloned().collect();
        // A lane that wakes looks here at once: it should not find the lock taken.
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        change(&mut state);
        state.turn += 1;
        self.changed.notify_all();
        state
    }

    /// How a lane is woken that waits elsewhere; none where it cannot be.
    pub(super) fn set_waker(&self, lane: usize, waker: Option<Waker>) {
        let wakers = &mut self.state.lock().wakers;
        match waker {
            Some(waker) => wakers.insert(lane, waker),
            None => wakers.remove(&lane),
        };
    }

    /// A lane is at rest, until something else is wished.
    pub(super) fn rest(&self, lane: usize, left: usize) {
        let mut state = self.state.lock();
        state.resting.insert(lane, left);
        self.changed.notify_all();
        while let Wish::Rest(_) = state.wish {
            self.changed.wait(&mut state);
        }
        state.resting.remove(&lane);
    }

    /// Waits until so many lanes are at rest, and answers the batches that they left in flight; none where the time is
    /// over.
    pub(super) fn wait_for_rest(&self, lanes: usize, until: Instant) -> Option<usize> {
        let mut state = self.state.lock();
        while state.resting.len() < lanes {
            if self.changed.wait_until(&mut state, until).timed_out() {
                return None;
            }
        }
        Some(state.resting.values().sum())
    }

    /// A lane has delivered and committed what it could, and has only its clients to close.
    pub(super) fn drained(&self, lane: usize, left: usize) {
        self.state.lock().drained.insert(lane, left);
    }

    /// Batches that so many lanes left in flight, once each has stopped but for its clients.
    pub(super) fn left(&self, lanes: usize) -> Option<usize> {
        let state = self.state.lock();
        (state.drained.len() == lanes).then(|| state.drained.values().sum())
    }

    /// Waits for a turn, at most for `timeout`.
    pub(super) fn wait(&self, timeout: Duration) {
        let mut state = self.state.lock();
        self.changed.wait_for(&mut state, timeout);
    }

    /// Waits for a turn behind the one that was seen; answers at once where the wish is to end.
    pub(super) fn wait_for_turn(&self, seen: u64) {
        let mut state = self.state.lock();
        while state.turn == seen && !matches!(state.wish, Wish::Rest(_) | Wish::Stop(_)) {
            self.changed.wait(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::SeqCst},
        },
        task::Wake,
    };

    use crossbeam_channel::Receiver;

    use super::*;

    const WAKING: [fn(&Steering); 3] =
        [Steering::note_change, Steering::ask_to_fire, |steering| steering.set_wish(Wish::Pause)];

    /// Something comes when the wait is over.
    fn wait_for_turn(steering: &Arc<Steering>, seen: u64) -> Receiver<()> {
        let (told, heard) = crossbeam_channel::bounded(1);
        let steering = Arc::clone(steering);
        std::thread::spawn(move || {
            steering.wait_for_turn(seen);
            told.send(()).ok();
        });
        heard
    }

    fn ends(wait: &Receiver<()>) -> bool {
        wait.recv_timeout(Duration::from_secs(60)).is_ok()
    }

    #[test]
    fn a_turn_that_came_before_one_waits_for_it_is_not_missed() {
        for change in WAKING.into_iter().chain([Steering::note_release as fn(&Steering)]) {
            let steering = Arc::new(Steering::new(Wish::Run));
            let (_, seen) = steering.look();
            change(&steering);
            assert!(ends(&wait_for_turn(&steering, seen)));
        }
    }

    #[test]
    fn who_waits_for_a_turn_is_let_go_by_the_next_one_and_by_a_wish_to_end() {
        let steering = Arc::new(Steering::new(Wish::Run));
        let wait = wait_for_turn(&steering, steering.look().1);
        assert!(wait.try_recv().is_err(), "nothing has changed");
        steering.note_change();
        assert!(ends(&wait));
        steering.set_wish(Wish::Stop(Instant::now()));
        assert!(ends(&wait_for_turn(&steering, steering.look().1)));
    }

    #[test]
    fn each_turn_but_a_swap_wakes_the_lanes_that_wait_elsewhere() {
        #[derive(Default)]
        struct Woken(AtomicUsize);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, SeqCst);
            }
        }
        let (steering, woken) = (Steering::new(Wish::Run), Arc::new(Woken::default()));
        steering.set_waker(0, Some(Arc::clone(&woken).into()));
        steering.set_waker(1, Some(Arc::clone(&woken).into()));
        WAKING.iter().for_each(|change| change(&steering));
        steering.note_release();
        assert_eq!(woken.0.load(SeqCst), 6);
        steering.set_waker(1, None);
        steering.note_change();
        assert_eq!(woken.0.load(SeqCst), 7);
    }

    #[test]
    fn nothing_comes_behind_a_stop() {
        let steering = Steering::new(Wish::Run);
        let stop = Wish::Stop(Instant::now());
        steering.set_wish(stop);
        steering.set_wish(Wish::Run);
        assert_eq!(steering.wish(), stop);
    }
}
