//! Which faults strike when: a function of the seed.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};

/// What can be struck. Faults of one target never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// By index.
    Host(usize),
    /// The group, by members that come and go.
    Group,
    /// The brokers: only one fault at a time, so that two replicas of three are left but where the fault says else.
    Brokers,
    /// The way to one broker.
    WayToBroker(usize),
    Elasticsearch,
    Redis,
}

/// What strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    HostKilled,
    HostStopped,
    HostTerminated,
    HostPaused,
    Swap,
    HostAdded,
    StrangerInGroup,
    BrokerKilled,
    BrokerStopped,
    TwoBrokersKilled,
    BrokerCut,
    BrokerHangs,
    BrokerSlow,
    ElasticsearchKilled,
    ElasticsearchStopped,
    ElasticsearchBusy,
    ElasticsearchReadOnly,
    ElasticsearchCut,
    ElasticsearchHangs,
    RedisKilled,
    RedisStopped,
    RedisFull,
    RedisCut,
    RedisHangs,
}

use Kind::*;

/// Each kind: its name, how often it comes, and how long it lasts at least and at most, in milliseconds. What is killed
/// comes back after that time and its own start.
const KINDS: [(Kind, &str, u32, u64, u64); 24] = [
    (HostKilled, "host-killed", 8, 0, 4000),
    (HostStopped, "host-stopped", 5, 500, 12_000),
    (HostTerminated, "host-terminated", 4, 0, 2000),
    (HostPaused, "host-paused", 2, 200, 2000),
    (Swap, "swap", 6, 0, 0),
    (HostAdded, "host-added", 3, 3000, 10_000),
    (StrangerInGroup, "stranger-in-group", 3, 500, 3000),
    (BrokerKilled, "broker-killed", 4, 0, 6000),
    (BrokerStopped, "broker-stopped", 3, 500, 8000),
    (TwoBrokersKilled, "two-brokers-killed", 1, 0, 3000),
    (BrokerCut, "broker-cut", 4, 0, 3000),
    (BrokerHangs, "broker-hangs", 3, 500, 8000),
    (BrokerSlow, "broker-slow", 2, 1000, 6000),
    (ElasticsearchKilled, "elasticsearch-killed", 1, 0, 3000),
    (ElasticsearchStopped, "elasticsearch-stopped", 2, 500, 8000),
    (ElasticsearchBusy, "elasticsearch-busy", 3, 500, 5000),
    (ElasticsearchReadOnly, "elasticsearch-read-only", 3, 500, 5000),
    (ElasticsearchCut, "elasticsearch-cut", 3, 0, 3000),
    (ElasticsearchHangs, "elasticsearch-hangs", 2, 500, 8000),
    (RedisKilled, "redis-killed", 4, 0, 3000),
    (RedisStopped, "redis-stopped", 2, 500, 8000),
    (RedisFull, "redis-full", 3, 500, 5000),
    (RedisCut, "redis-cut", 3, 0, 3000),
    (RedisHangs, "redis-hangs", 2, 500, 8000),
];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, ..)| name)
    }

    fn target(self, random: &mut StdRng) -> Target {
        match self {
            HostKilled | HostStopped | HostTerminated | HostPaused => {
                Target::Host(random.random_range(0..super::HOSTS))
            }
            // Not while a host is away: a release is changed on all.
            Swap | HostAdded | StrangerInGroup => Target::Group,
            BrokerKilled | BrokerStopped | TwoBrokersKilled => Target::Brokers,
            BrokerCut | BrokerHangs | BrokerSlow => Target::WayToBroker(random.random_range(0..super::BROKERS)),
            ElasticsearchKilled
            | ElasticsearchStopped
            | ElasticsearchBusy
            | ElasticsearchReadOnly
            | ElasticsearchCut
            | ElasticsearchHangs => Target::Elasticsearch,
            RedisKilled | RedisStopped | RedisFull | RedisCut | RedisHangs => Target::Redis,
        }
    }
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) target: Target,
    /// How long it lasts.
    pub(crate) lasts: Duration,
    /// Since the begin of the fault before.
    pub(crate) pause: Duration,
    /// What else has to be chosen: which broker, which mark.
    pub(crate) choice: usize,
}

/// Faults for ever. The first ones are one of each kind in some order, then they come by their weights.
pub(crate) fn plan(seed: u64, pause_max: Duration) -> impl Iterator<Item = Fault> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut first: Vec<Kind> = KINDS.iter().map(|(kind, ..)| *kind).collect();
    first.shuffle(&mut random);
    let total: u32 = KINDS.iter().map(|(_, _, weight, ..)| weight).sum();
    std::iter::from_fn(move || {
        let kind = first.pop().unwrap_or_else(|| {
            let mut at = random.random_range(0..total);
            let by_weight = KINDS.iter().find(|(_, _, weight, ..)| match at.checked_sub(*weight) {
                Some(rest) => {
                    at = rest;
                    false
                }
                None => true,
            });
            by_weight.map_or(Swap, |(kind, ..)| *kind)
        });
        let (least, most) =
            KINDS.iter().find(|(it, ..)| *it == kind).map_or((0, 0), |(.., least, most)| (*least, *most));
        Some(Fault {
            kind,
            target: kind.target(&mut random),
            lasts: Duration::from_millis(random.random_range(least..=most)),
            pause: pause_max.mul_f64(random.random()),
            choice: random.random_range(0..super::BROKERS),
        })
    })
}

/// How many faults make one of each kind.
pub(crate) const ONE_OF_EACH: usize = KINDS.len();

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_is_a_plan_and_every_kind_comes_first() {
        let take = |seed| plan(seed, Duration::from_secs(5)).take(200).collect::<Vec<_>>();
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
        let first: BTreeSet<Kind> = take(7)[..ONE_OF_EACH].iter().map(|fault| fault.kind).collect();
        assert_eq!(first.len(), ONE_OF_EACH);
        assert!(take(7).iter().all(|fault| fault.lasts <= Duration::from_secs(12) && !fault.kind.name().is_empty()));
    }
}
