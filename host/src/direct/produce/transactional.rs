//! The lane's side of transactions: it takes over, and commits when everything is settled. What it hands over in between
//! is the transaction, so none has to be begun.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst, mpsc},
    time::Duration,
};

use tokio::time::Instant;

use super::DirectProducer;
use crate::{
    direct::{
        choice::Ground,
        options::Unsupported,
        transaction::{Denied, Offsets, Transactor},
    },
    kafka::{Settings, TransactionError},
};

/// What a call gets beyond its timeout, before it counts as one that does not come back.
const GRACE: Duration = Duration::from_secs(3);

impl DirectProducer {
    /// As [`Self::start`], for transactions. `id` is its own as long as it lives and the same after a restart: that is how
    /// the broker knows that the one before is gone.
    ///
    /// # Errors
    /// Properties that only librdkafka understands.
    pub fn transactional(settings: &Settings, id: &str, ground: &Ground) -> Result<Self, Unsupported> {
        Self::begin(settings, Some(id), ground)
    }

    /// Takes over from the producer before: its open transaction is ended. Once, before anything is produced.
    ///
    /// # Errors
    /// See [`TransactionError`].
    pub fn take_over(&self, timeout: Duration) -> Result<(), TransactionError> {
        let call = |transactor: Arc<Transactor>, until| async move { transactor.take_over(until).await };
        self.call("take over its transactions", timeout, call)?;
        self.shared.wake.notify_one();
        Ok(())
    }

    /// Commits what was handed over, all of which has come to a good end, with a group's next offsets. They count only
    /// if who commits them is still a member of the group.
    ///
    /// # Errors
    /// See [`TransactionError`]. Whether it was committed is not known then.
    pub fn commit(&self, offsets: Option<Offsets>, timeout: Duration) -> Result<(), TransactionError> {
        let call = |transactor: Arc<Transactor>, until| async move { transactor.commit(offsets, until).await };
        self.call("commit the transaction", timeout, call)?;
        self.hurry(false);
        Ok(())
    }

    /// Has everything sent that was handed over: nothing more comes before the commit.
    pub fn hasten(&self) {
        self.hurry(true);
    }

    fn hurry(&self, on: bool) {
        let Some(transactor) = &self.transactor else { return };
        if transactor.hurry.swap(on, SeqCst) != on && on {
            self.shared.wake.notify_one();
        }
    }

    fn call<F>(
        &self,
        what: &'static str,
        timeout: Duration,
        call: impl FnOnce(Arc<Transactor>, Instant) -> F,
    ) -> Result<(), TransactionError>
    where
        F: Future<Output = Result<(), Denied>> + Send + 'static,
    {
        let failed = |reason: &str| TransactionError::new(what, reason, false);
        let transactor = self.transactor.as_ref().ok_or_else(|| failed("the producer has none"))?;
        let asked = call(Arc::clone(transactor), Instant::now() + timeout);
        let (done, outcome) = mpsc::sync_channel(1);
        // Nobody waits any more for what comes too late.
        self.runtime.spawn(async move { drop(done.send(asked.await)) });
        match outcome.recv_timeout(timeout + GRACE) {
            Ok(outcome) => outcome
                .map_err(|Denied { reason, is_configuration }| TransactionError::new(what, reason, is_configuration)),
            Err(_) => Err(failed("the call does not come back")),
        }
    }
}

#[cfg(test)]
mod tests;
