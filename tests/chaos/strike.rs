//! Carrying out a fault: the begin, the wait, the end.

use std::{thread::sleep, time::Duration};

use e2e::{Index, Network};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};
use redis::Connection;
use reqwest::Method;
use serde_json::json;

use super::{
    BROKERS,
    plan::{Fault, Kind, Target},
    world::{PIPELINES, World},
};

/// Exit codes of a host that was asked to end: all delivered, or not all in time.
const ENDS: [Option<i32>; 2] = [Some(0), Some(6)];

/// Lets a fault happen, from begin to end; answers what was struck.
///
/// # Errors
/// What a host must not do, in words.
pub(crate) fn strike(world: &World, fault: &Fault) -> Result<String, String> {
    let broker = |number: usize| format!("broker{}", number % BROKERS + 1);
    match (fault.kind, fault.target) {
        (Kind::HostKilled | Kind::HostStopped | Kind::HostTerminated | Kind::HostPaused, Target::Host(number)) => {
            host(world, fault, number)?;
            Ok(format!("host {number}"))
        }
        (Kind::Swap, _) => Ok(swap(world, ["A", "B"][fault.choice % 2])),
        (Kind::HostAdded, _) => add_host(world, fault.lasts),
        (Kind::StrangerInGroup, _) => {
            let pipeline = PIPELINES[fault.choice % PIPELINES.len()];
            stranger(world, pipeline, fault.lasts);
            Ok(format!("group of {pipeline}"))
        }
        (Kind::BrokerKilled | Kind::TwoBrokersKilled, _) => {
            let others = if fault.kind == Kind::TwoBrokersKilled { 2 } else { 1 };
            let brokers: Vec<String> = (0..others).map(|other| broker(fault.choice + other)).collect();
            brokers.iter().for_each(|broker| world.service("stop.sh", broker, &["KILL"]));
            sleep(fault.lasts);
            brokers.iter().for_each(|broker| world.service("start.sh", broker, &[]));
            Ok(brokers.join(", "))
        }
        (Kind::BrokerStopped, _) => Ok(stopped(world, &broker(fault.choice), fault.lasts)),
        (kind, Target::WayToBroker(number)) => {
            let network = match kind {
                Kind::BrokerCut => Network::Cut,
                Kind::BrokerHangs => Network::Hangs,
                _ => Network::Slow,
            };
            world.ways[number].set(network);
            sleep(fault.lasts);
            world.ways[number].set(Network::Works);
            Ok(broker(number))
        }
        (Kind::ElasticsearchKilled, _) => Ok(killed(world, "elasticsearch", fault.lasts)),
        (Kind::ElasticsearchStopped, _) => Ok(stopped(world, "elasticsearch", fault.lasts)),
        (Kind::ElasticsearchBusy, _) => Ok(blocked(world, "read_only_allow_delete", fault.lasts)),
        (Kind::ElasticsearchReadOnly, _) => Ok(blocked(world, "write", fault.lasts)),
        (Kind::ElasticsearchCut | Kind::ElasticsearchHangs, _) => {
            let network = if fault.kind == Kind::ElasticsearchCut { Network::Cut } else { Network::Hangs };
            world.elasticsearch.set(network);
            sleep(fault.lasts);
            world.elasticsearch.set(Network::Works);
            Ok("elasticsearch".into())
        }
        (Kind::RedisKilled, _) => Ok(killed(world, "redis", fault.lasts)),
        (Kind::RedisStopped, _) => Ok(stopped(world, "redis", fault.lasts)),
        (Kind::RedisFull, _) => {
            limit_redis(world, "1mb");
            sleep(fault.lasts);
            limit_redis(world, "0");
            Ok("redis".into())
        }
        (Kind::RedisCut | Kind::RedisHangs, _) => {
            world.redis.set(if fault.kind == Kind::RedisCut { Network::Cut } else { Network::Hangs });
            sleep(fault.lasts);
            world.redis.set(Network::Works);
            Ok("redis".into())
        }
        (kind, target) => Err(format!("{} at {target:?}", kind.name())),
    }
}

fn host(world: &World, fault: &Fault, number: usize) -> Result<(), String> {
    let mut host = world.hosts[number].lock();
    match fault.kind {
        Kind::HostKilled => {
            host.kill();
            sleep(fault.lasts);
            host.restart();
        }
        Kind::HostStopped => {
            host.signal("STOP");
            sleep(fault.lasts);
            host.signal("CONT");
        }
        Kind::HostTerminated => {
            let code = host.terminate();
            sleep(fault.lasts);
            host.restart();
            return ended(code);
        }
        _ => {
            let pipeline = PIPELINES[fault.choice % PIPELINES.len()];
            host.cli(&["pause", pipeline]).ok();
            sleep(fault.lasts);
            host.cli(&["resume", pipeline]).ok();
        }
    }
    Ok(())
}

fn ended(code: Option<i32>) -> Result<(), String> {
    if ENDS.contains(&code) { Ok(()) } else { Err(format!("a host that was asked to end did so with {code:?}")) }
}

/// A release with this mark on all hosts that can be reached.
fn swap(world: &World, mark: &str) -> String {
    let mut reached = Vec::new();
    for (number, host) in world.hosts.iter().enumerate() {
        let Some(host) = host.try_lock() else { continue };
        for (name, yaml) in world.pipelines(mark) {
            host.apply(name, &yaml).ok();
        }
        reached.push(number.to_string());
    }
    format!("to {mark} on hosts {}", reached.join(", "))
}

/// A third host comes and goes.
fn add_host(world: &World, lasts: Duration) -> Result<String, String> {
    let mut host = world.host();
    sleep(lasts);
    ended(host.terminate())?;
    Ok("one more".into())
}

/// A consumer that is not ours joins the group and leaves it; it commits nothing.
fn stranger(world: &World, pipeline: &str, lasts: Duration) {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &world.straight.kafka)
        .set("group.id", world.group(pipeline))
        .set("enable.auto.commit", "false")
        .set("session.timeout.ms", "6000")
        .set("partition.assignment.strategy", "cooperative-sticky");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    consumer.subscribe(&[&world.topic("in")]).expect("subscribed");
    let until = std::time::Instant::now() + lasts;
    while std::time::Instant::now() < until {
        drop(consumer.poll(Duration::from_millis(50)));
    }
}

fn killed(world: &World, service: &str, lasts: Duration) -> String {
    world.service("stop.sh", service, &["KILL"]);
    sleep(lasts);
    world.service("start.sh", service, &[]);
    service.into()
}

fn stopped(world: &World, service: &str, lasts: Duration) -> String {
    world.signal(service, "STOP");
    sleep(lasts);
    world.signal(service, "CONT");
    service.into()
}

/// A full disk (each document answered with 429), or a closed door (403).
fn blocked(world: &World, block: &str, lasts: Duration) -> String {
    let set = |value: serde_json::Value| {
        for index in [&world.state.name, &world.docs.name] {
            let body = json!({ "index": { "blocks": { block: value } } });
            Index::call(Method::PUT, &format!("{index}/_settings"), Some(&body));
        }
    };
    set(json!(true));
    sleep(lasts);
    set(json!(null));
    "elasticsearch".into()
}

fn limit_redis(world: &World, limit: &str) {
    let client = redis::Client::open(world.straight.redis.as_str()).expect("an address");
    let mut connection: Connection = client.get_connection().expect("a connection");
    let set: String =
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(limit).query(&mut connection).expect("an answer");
    assert_eq!(set, "OK");
}
