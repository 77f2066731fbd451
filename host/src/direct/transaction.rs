//! The coordinators' side of a transactional producer (KIP-98, KIP-447): who it is, which partitions are in the open
//! transaction, the group's offsets, the end.
//!
//! One request at a time, whoever asks: the lane takes over and commits, the producer's task adds partitions. A
//! coordinator that moves, dies, or is busy with the transaction before is asked again until the time is over. Whatever
//! else goes wrong is the end of the producer: the next one of the same id ends what it has left open.
//!
//! A transaction is open with the first partition that is added, and each partition is added anew in each. Nothing is
//! added while nothing is to be sent, since a transaction that is left open is aborted by its coordinator in the end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    api::{
        self, Api, Code,
        transactions::{self, Asks, Verdict},
    },
    choice::Unfit,
    connection::{Address, Caller, Connection, ConnectionError},
    options::{Common, ProduceOptions},
    wire::WireError,
};
use crate::kafka::{self, Membership, Partition};

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// First and longest pause while markers of the transaction before are written, which takes 3 to 50 ms: nothing is sent
/// meanwhile.
const SOON: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(4));

/// Next offsets of a group, and who of it commits them.
pub(super) type Offsets = (Membership, Vec<(Partition, i64)>);

/// A request that was not granted: why, and whether a person has to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Denied {
    pub(super) reason: String,
    pub(super) is_configuration: bool,
}

impl Denied {
    fn passing(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), is_configuration: false }
    }
}

/// Whom a request is for.
#[derive(Clone, Copy, Debug)]
enum Role<'a> {
    Transactions,
    Group(&'a str),
}

/// Why there is no answer.
enum Missed {
    Said(Code),
    /// The request did not get there.
    Lost(ConnectionError),
    /// It may have got there, or may do so yet.
    Unanswered(ConnectionError),
}

/// See the module's documentation. Lane and task share it.
pub(super) struct Transactor {
    pub(super) id: String,
    timeout_ms: i32,
    common: Common,
    caller: Caller,
    unfit: Unfit,
    state: tokio::sync::Mutex<State>,
    /// Who the producer is: id and epoch.
    identity: Mutex<Option<(i64, i16)>>,
    /// Transactions that were committed.
    committed: AtomicU64,
    /// Why the open one cannot be committed.
    spoiled: Mutex<Option<String>>,
    /// What is open is not to wait for more records.
    pub(super) hurry: AtomicBool,
    /// Brokers to be asked for coordinators.
    pub(super) brokers: Mutex<Vec<Address>>,
    /// Nobody waits for an answer any more.
    pub(super) closed: AtomicBool,
}

#[derive(Default)]
struct State {
    /// What the open transaction has at its coordinator.
    has_partitions: bool,
    has_offsets: bool,
    /// Whose offsets were in the one before.
    group: Option<String>,
    of_transactions: Option<Connection>,
    of_group: Option<Connection>,
}

impl Transactor {
    pub(super) fn new(options: &ProduceOptions, id: &str, unfit: Unfit) -> Self {
        let common = options.common.clone();
        Self {
            id: id.to_owned(),
            timeout_ms: i32::try_from(options.transaction_max.as_millis()).unwrap_or(i32::MAX),
            caller: common.caller(&transactions::NEEDED),
            brokers: Mutex::new(common.bootstrap.clone()),
            common,
            unfit,
            state: tokio::sync::Mutex::default(),
            identity: Mutex::new(None),
            committed: AtomicU64::new(0),
            spoiled: Mutex::new(None),
            hurry: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn identity(&self) -> Option<(i64, i16)> {
        *self.identity.lock()
    }

    /// Which transaction is open, or the next to be.
    pub(super) fn number(&self) -> u64 {
        self.committed.load(SeqCst)
    }

    /// The open transaction is not to be committed.
    pub(super) fn spoil(&self, reason: &str) {
        self.spoiled.lock().get_or_insert_with(|| reason.to_owned());
    }

    fn asks(&self) -> Result<Asks<'_>, Denied> {
        let (producer, epoch) = self.identity().ok_or_else(|| Denied::passing("it has no producer id"))?;
        Ok(Asks { id: &self.id, producer, epoch })
    }

    /// Ends what a producer before has left open, and takes its place.
    pub(super) async fn take_over(&self, until: Instant) -> Result<(), Denied> {
        let mut state = self.state.lock().await;
        let body = api::init_producer_id_request(Some((&self.id, self.timeout_ms)));
        let identity = self
            .ask(&mut state, Role::Transactions, api::INIT_PRODUCER_ID, body, Some(until), api::init_producer_id)
            .await?;
        (state.has_partitions, state.has_offsets) = (false, false);
        *self.identity.lock() = Some(identity);
        Ok(())
    }

    /// Puts partitions into the transaction, and the group's offsets, where the one before had them: that spares the
    /// commit a round trip.
    pub(super) async fn add(self: Arc<Self>, mut partitions: Vec<(Arc<str>, i32)>) -> Result<(), Denied> {
        partitions.sort_unstable();
        let number = self.number();
        let mut state = self.state.lock().await;
        let named: Vec<(&str, i32)> = partitions.iter().map(|(topic, partition)| (&**topic, *partition)).collect();
        let body = transactions::add_partitions_request(self.asks()?, &named);
        // It may have reached the coordinator without an answer.
        state.has_partitions = true;
        self.ask(
            &mut state,
            Role::Transactions,
            transactions::ADD_PARTITIONS,
            body,
            None,
            transactions::add_partitions,
        )
        .await?;
        if let (false, Some(group)) = (state.has_offsets, state.group.clone()) {
            let transactor = Arc::clone(&self);
            tokio::spawn(async move {
                let mut state = transactor.state.lock().await;
                if transactor.number() == number {
                    // Where it fails, the commit asks again, and says why.
                    transactor.add_offsets(&mut state, &group, Some(Instant::now() + PATIENCE)).await.ok();
                }
            });
        }
        Ok(())
    }

    async fn add_offsets(&self, state: &mut State, group: &str, until: Option<Instant>) -> Result<(), Denied> {
        if state.has_offsets {
            return Ok(());
        }
        let body = transactions::add_offsets_request(self.asks()?, group);
        self.ask(state, Role::Transactions, transactions::ADD_OFFSETS, body, until, transactions::granted).await?;
        state.has_offsets = true;
        Ok(())
    }

    /// Commits the transaction, with a group's offsets. An answer that is lost ends the producer: its request may be read
    /// once the next transaction is open, and would commit the half of that. Only another epoch is safe from it.
    pub(super) async fn commit(&self, offsets: Option<Offsets>, until: Instant) -> Result<(), Denied> {
        if let Some(reason) = &*self.spoiled.lock() {
            return Err(Denied::passing(reason));
        }
        let mut state = self.state.lock().await;
        if let Some((member, offsets)) = offsets.filter(|(_, offsets)| !offsets.is_empty()) {
            if state.group.as_ref() != Some(&member.group) {
                (state.group, state.of_group) = (Some(member.group.clone()), None);
            }
            self.add_offsets(&mut state, &member.group, Some(until)).await?;
            let body = transactions::commit_offsets_request(self.asks()?, &member, &offsets);
            let role = Role::Group(&member.group);
            self.ask(&mut state, role, transactions::COMMIT_OFFSETS, body, Some(until), transactions::commit_offsets)
                .await?;
        }
        // One that was not begun has no end.
        if state.has_partitions || state.has_offsets {
            let body = transactions::end_request(self.asks()?);
            self.ask(&mut state, Role::Transactions, transactions::END, body, Some(until), transactions::granted)
                .await?;
        }
        (state.has_partitions, state.has_offsets) = (false, false);
        self.committed.fetch_add(1, SeqCst);
        Ok(())
    }

    /// Asks until it is granted, denied, or too late.
    async fn ask<T>(
        &self,
        state: &mut State,
        role: Role<'_>,
        api: Api,
        body: Vec<u8>,
        until: Option<Instant>,
        read: fn(&[u8]) -> Result<Result<T, Code>, WireError>,
    ) -> Result<T, Denied> {
        let body = Bytes::from(body);
        let mut attempts = 0;
        loop {
            let far = Instant::now() + 3 * PATIENCE;
            let late = || Missed::Unanswered(ConnectionError::Late(3 * PATIENCE));
            let asked = timeout_at(until.unwrap_or(far), self.ask_once(state, role, api, body.clone()));
            let said = match asked.await.unwrap_or_else(|_| Err(late())).map(|answer| read(&answer)) {
                Ok(Ok(Ok(answer))) => return Ok(answer),
                Ok(Ok(Err(code))) | Err(Missed::Said(code)) => Ok(code),
                Ok(Err(error)) => Err(error.to_string()),
                Err(Missed::Unanswered(error)) if [transactions::COMMIT_OFFSETS, transactions::END].contains(&api) => {
                    return Err(Denied::passing(format!("whether it is committed is not known: {error}")));
                }
                Err(Missed::Lost(error) | Missed::Unanswered(error)) => {
                    if let ConnectionError::Unfit { .. } = error {
                        self.unfit.note();
                        return Err(Denied::passing(error));
                    }
                    Err(error.to_string())
                }
            };
            let (verdict, is_configuration, reason) = match said {
                Ok(code) => (code.verdict(), kafka::needs_a_person(code.0), code.to_string()),
                Err(reason) => (Verdict::Elsewhere, false, reason),
            };
            let pause = match verdict {
                Verdict::Granted | Verdict::Denied => return Err(Denied { reason, is_configuration }),
                Verdict::Soon => SOON.0.saturating_mul(1 << (attempts / 2).min(10)).min(SOON.1),
                Verdict::Later => self.common.pause(attempts),
                Verdict::Elsewhere => {
                    *state.link(role) = None;
                    self.common.pause(attempts)
                }
            };
            tracing::debug!(id = self.id, ?role, reason, "a coordinator is asked again");
            if until.is_some_and(|until| Instant::now() + pause >= until) || self.closed.load(SeqCst) {
                return Err(Denied::passing(format!("no success in time: {reason}")));
            }
            if attempts % 50 == 20 {
                tracing::warn!(id = self.id, ?role, reason, "a coordinator is asked again and again");
            }
            attempts += 1;
            sleep(pause).await;
        }
    }

    async fn ask_once(&self, state: &mut State, role: Role<'_>, api: Api, body: Bytes) -> Result<Bytes, Missed> {
        let link = state.link(role);
        let connection = match link.take().filter(Connection::is_open) {
            Some(connection) => connection,
            None => self.find(role).await?,
        };
        // Whoever gives up in the middle leaves no connection behind with an answer under way.
        let answer = connection.call(api, vec![body], PATIENCE).await.map_err(Missed::Unanswered)?;
        *link = Some(connection);
        Ok(answer)
    }

    /// Looks for the coordinator with whichever broker answers first.
    async fn find(&self, role: Role<'_>) -> Result<Connection, Missed> {
        let (key, of_transactions) = match role {
            Role::Transactions => (self.id.as_str(), true),
            Role::Group(group) => (group, false),
        };
        let body = Bytes::from(transactions::find_coordinator_request(key, of_transactions));
        let mut missed = Missed::Lost(ConnectionError::Broken("no broker is known".into()));
        let brokers = self.brokers.lock().clone();
        for address in brokers {
            let connection = match Connection::open(&address, &self.caller).await {
                Ok(connection) => connection,
                Err(error) => {
                    missed = Missed::Lost(error);
                    continue;
                }
            };
            let answer = match connection.call(transactions::FIND_COORDINATOR, vec![body.clone()], PATIENCE).await {
                Ok(answer) => transactions::find_coordinator(&answer),
                Err(error) => {
                    missed = Missed::Lost(error);
                    continue;
                }
            };
            let broken = |error: WireError| Missed::Lost(ConnectionError::Broken(error.to_string()));
            match answer.map_err(broken)? {
                Ok(coordinator) if coordinator == address => return Ok(connection),
                Ok(coordinator) => return Connection::open(&coordinator, &self.caller).await.map_err(Missed::Lost),
                Err(code) => missed = Missed::Said(code),
            }
        }
        Err(missed)
    }
}

impl State {
    fn link(&mut self, role: Role<'_>) -> &mut Option<Connection> {
        match role {
            Role::Transactions => &mut self.of_transactions,
            Role::Group(_) => &mut self.of_group,
        }
    }
}
