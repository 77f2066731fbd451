//! Everything that can be struck: three brokers, Elasticsearch and Redis behind proxies, and hosts.

use std::{
    collections::HashMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use e2e::{Host, Index, Proxy, Services, guest, root, unique, use_services};
use parking_lot::Mutex;
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use reqwest::Method;
use serde_json::json;

use super::{BROKERS, HOSTS, record::PARTITIONS};

/// The two pipelines.
pub(crate) const PIPELINES: [&str; 2] = ["alo", "eo"];

/// See the module's documentation. Everything ends with this process.
pub(crate) struct World {
    /// Of the services.
    pub(crate) folder: PathBuf,
    pub(crate) ways: Vec<Proxy>,
    pub(crate) elasticsearch: Proxy,
    pub(crate) redis: Proxy,
    /// Addresses that no fault is in the way of.
    pub(crate) straight: Services,
    pub(crate) hosts: Vec<Mutex<Host>>,
    /// What topics begin with.
    pub(crate) name: String,
    pub(crate) state: Index,
    pub(crate) docs: Index,
    /// What keys begin with.
    pub(crate) keys: String,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port()
}

impl World {
    /// Starts all, with the pipelines running and nothing to do yet.
    pub(crate) fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder");
        let folder = folder.canonicalize().expect("a folder");
        let ways: Vec<Proxy> = (1..=BROKERS).map(|broker| way_to_broker(&folder, broker)).collect();
        let found = up(&folder);
        let address = |name: &str| found.get(name).cloned();
        let straight = Services::find(address).expect("all addresses");
        use_services(Services::find(address).expect("all addresses"));
        let name = unique("chaos");
        let elasticsearch = Proxy::start(straight.elasticsearch.trim_start_matches("http://"));
        let redis = Proxy::start(straight.redis.trim_start_matches("redis://"));
        let (state, docs, keys) = (Index::new("state"), Index::new("docs"), unique("keys"));
        let mut world =
            Self { folder, ways, elasticsearch, redis, straight, hosts: Vec::new(), name, state, docs, keys };
        world.make_topics();
        for index in [&world.state.name, &world.docs.name] {
            let settings = json!({
                "settings": { "number_of_replicas": 0, "refresh_interval": "30s" },
                "mappings": { "dynamic": false },
            });
            Index::call(Method::PUT, index, Some(&settings));
        }
        world.hosts = (0..HOSTS).map(|_| Mutex::new(world.host())).collect();
        world
    }

    /// One more host with both pipelines.
    pub(crate) fn host(&self) -> Host {
        let host = Host::start();
        host.cli(&["push", &guest("chaos"), "chaos@1"]).ok();
        for (name, yaml) in self.pipelines("A") {
            host.apply(name, &yaml).ok();
        }
        host
    }

    pub(crate) fn topic(&self, rest: &str) -> String {
        format!("{}.{rest}", self.name)
    }

    pub(crate) fn group(&self, pipeline: &str) -> String {
        format!("{}.{pipeline}", self.name)
    }

    /// Both pipelines with a release of this mark.
    pub(crate) fn pipelines(&self, mark: &str) -> [(&'static str, String); 2] {
        let brokers: Vec<String> = self.ways.iter().map(|way| format!("\"{}\"", way.address)).collect();
        let head = |name: &str| {
            format!(
                "pipeline: {name}\n\
                 source: {{ kafka: {{ brokers: [{}], topics: [{}], group: {}, batch: {{ records: 500 }},\n\
                 \x20 properties: {{ session.timeout.ms: 6000 }} }} }}\n\
                 module: {{ ref: chaos@1, config: {{ mark: {mark} }}, limits: {{ time: 200ms }} }}\n\
                 errors: {{ backoff: {{ from: 50ms, to: 1s }}, dead_letter: {{ kafka: {{ topic: {} }} }} }}\n",
                brokers.join(", "),
                self.topic("in"),
                self.group(name),
                self.topic(&format!("dead-{name}")),
            )
        };
        let kafka = |topic: &str| format!("{{ kafka: {{ topic: {} }} }}", self.topic(topic));
        let elasticsearch = |rest: &str| {
            format!("{{ elasticsearch: {{ urls: [\"http://{}\"], {rest} }} }}", self.elasticsearch.address)
        };
        let redis = |key: &str, rest: &str| {
            let (server, prefix) = (self.redis.address, &self.keys);
            format!("{{ redis: {{ url: \"redis://{server}\", key: \"{prefix}:{key}\", {rest} }} }}")
        };
        let once = format!(
            "{}delivery: at-least-once\n\
             routes: {{ all: [out, state, cache], sample: [docs, stream, list] }}\n\
             sinks:\n  out: {}\n  state: {}\n  docs: {}\n  cache: {}\n  stream: {}\n  list: {}\n",
            head("alo"),
            kafka("out-alo"),
            elasticsearch(&format!("index: {}, id: \"{{key}}\", versions: offset", self.state.name)),
            elasticsearch(&format!("index: {}", self.docs.name)),
            redis("k{key}", "command: string, versions: offset"),
            redis("stream:{topic}:{partition}", "command: stream"),
            redis("list:{partition}", "command: list, versions: offset"),
        );
        let exactly = format!(
            "{}delivery: exactly-once\nroutes: {{ all: [out], sample: [sample] }}\nsinks: {{ out: {}, sample: {} }}\n",
            head("eo"),
            kafka("out-eo"),
            kafka("sample-eo"),
        );
        [("alo", once), ("eo", exactly)]
    }

    fn make_topics(&self) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.straight.kafka);
        let admin: AdminClient<DefaultClientContext> = config.create().expect("a client");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let names = ["in", "out-alo", "out-eo", "sample-eo", "dead-alo", "dead-eo"].map(|rest| self.topic(rest));
        let topics = names.each_ref().map(|name| {
            let topic = NewTopic::new(name, PARTITIONS as i32, TopicReplication::Fixed(BROKERS as i32));
            // When a duplicate was written says which fault it goes back to.
            topic.set("message.timestamp.type", "LogAppendTime").set("min.insync.replicas", "2")
        });
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
        let made = runtime.block_on(admin.create_topics(&topics, &options)).expect("an answer");
        made.into_iter().for_each(|topic| drop(topic.expect("a topic")));
    }

    /// Lets everything work again.
    pub(crate) fn heal(&self) {
        self.ways.iter().chain([&self.elasticsearch, &self.redis]).for_each(|proxy| proxy.set(e2e::Network::Works));
    }

    /// Runs a script of scripts/services for one service.
    pub(crate) fn service(&self, script: &str, service: &str, rest: &[&str]) {
        let mut command = Command::new(root().join("scripts/services").join(script));
        let done = command.arg(&self.folder).arg(service).args(rest).output().expect("it runs");
        assert!(done.status.success(), "{script} {service}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Sends a signal to the process of a service.
    pub(crate) fn signal(&self, service: &str, signal: &str) {
        let text = fs::read_to_string(self.folder.join(format!("{service}.pid"))).expect("a running service");
        let pid = text.split(' ').next().expect("a pid");
        let sent = Command::new("kill").args([&format!("-{signal}"), pid]).status().expect("kill runs");
        assert!(sent.success(), "{signal} to {service}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.hosts.clear();
        let ended = Command::new(root().join("scripts/services/down.sh")).arg(&self.folder).status();
        drop(ended);
    }
}

/// Settles where a broker is to listen for hosts, and puts a proxy there.
fn way_to_broker(folder: &Path, broker: usize) -> Proxy {
    let outside = free_port();
    let way = Proxy::start(&format!("127.0.0.1:{outside}"));
    let text = format!("{outside} {}\n", way.address.port());
    fs::write(folder.join(format!("broker{broker}.outside")), text).expect("written");
    way
}

fn up(folder: &Path) -> HashMap<String, String> {
    let up = Command::new(root().join("scripts/services/up.sh"))
        .args(["--watch-pid", &std::process::id().to_string(), "--dir"])
        .arg(folder)
        .args(["cluster", "elasticsearch", "redis"])
        .output()
        .expect("up.sh runs");
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    let text = String::from_utf8(up.stdout).expect("text");
    text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect()
}
