//! What a loaded file means.

use std::time::Duration;

use super::*;
use crate::{
    config::{
        BatchPolicy, Bucket, BulkPolicy, Client, DeadLetter, Delivery, ElasticsearchAuth, ElasticsearchSink, Errors,
        Grants, KafkaSink, KafkaSource, KeyValue, KeyValuePlace, ModuleRef, ModuleSpec, Partitioning, Pipeline,
        Properties, RedisCommand, Sink, Start, Template, Versions,
    },
    limits::Limits,
    output::Op,
};

fn template(written: &str) -> Template {
    written.parse().unwrap()
}

fn redis(loaded: &Loaded, name: &str) -> RedisCommand {
    match &loaded.pipeline.sinks[name] {
        Sink::Redis(sink) => sink.command.clone(),
        other => panic!("{other:?}"),
    }
}

fn kafka<'a>(loaded: &'a Loaded, name: &str) -> &'a KafkaSink {
    match &loaded.pipeline.sinks[name] {
        Sink::Kafka(sink) => sink,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_smallest_file_takes_every_default() {
    let expected = Pipeline {
        name: "copy".to_owned(),
        source: KafkaSource {
            brokers: vec!["localhost:9092".to_owned()],
            topics: vec!["in".to_owned()],
            group: "wasmill.copy".to_owned(),
            start: Start::Earliest,
            batch: BatchPolicy { records: 1000, bytes: 1 << 20, linger: Duration::from_millis(20) },
            lanes: 1,
            client: Client::Auto,
            properties: Properties::default(),
        },
        module: ModuleSpec {
            reference: ModuleRef::File(PathBuf::from("/etc/wasmill/./copy.wasm")),
            config: Vec::new(),
            limits: Limits::default(),
            grants: Grants::default(),
        },
        routes: BTreeMap::from([("main".to_owned(), vec!["out".to_owned()])]),
        sinks: BTreeMap::from([("out".to_owned(), Sink::Stdout)]),
        delivery: Delivery::AtLeastOnce,
        errors: Errors::default(),
        timer: None,
        enabled: true,
    };
    assert_eq!(load_valid("minimal.yaml").pipeline, expected);
}

#[test]
fn the_example_of_the_guide_loads() {
    let loaded = load_valid("design.yaml");
    let pipeline = &loaded.pipeline;
    assert_eq!(pipeline.module.reference.to_string(), "log-clean@1.2.0");
    assert_eq!(pipeline.module.config, [("ignore".to_owned(), "name,password".to_owned())]);
    assert_eq!(pipeline.routes["audit"], ["audit", "audit-b"]);
    assert_eq!(kafka(&loaded, "audit-b").brokers, ["10.0.0.1:9092"]);
    assert!(kafka(&loaded, "audit").properties.is_empty(), "brokers of its own, properties of its own");
    let Some(DeadLetter { kafka: dead }) = &pipeline.errors.dead_letter else { panic!() };
    assert_eq!((dead.topic.as_str(), &dead.brokers), ("nginx.dead", &pipeline.source.brokers));
    assert_eq!(dead.properties.get("security.protocol").unwrap().expose(), "SASL_SSL", "as the source connects");
}

#[test]
fn properties_of_the_connection_follow_the_brokers_and_no_others() {
    let loaded = load_valid("exactly-once.yaml");
    assert_eq!(loaded.pipeline.source.start, Start::At(1_769_857_200_000));
    let dead = &loaded.pipeline.errors.dead_letter.as_ref().unwrap().kafka.properties;
    let names: Vec<_> = dead.iter().map(|(name, value)| (name, value.expose())).collect();
    assert_eq!(names, [("linger.ms", "5"), ("sasl.username", "wasmill")]);
}

#[test]
fn settings_of_a_module_stay_as_written() {
    let config = load_valid("sinks.yaml").pipeline.module.config;
    let config: Vec<_> = config.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("big", "12345678901234567890123"),
        ("float", "1e3"),
        ("huge", "1e999"),
        ("nan", ".NaN"),
        ("none", ""),
        ("octal", "010"),
        ("on", "true"),
        ("version", "1.10"),
    ];
    assert_eq!(config, expected);
}

#[test]
fn sinks_take_their_options() {
    let loaded = load_valid("sinks.yaml");
    let expected = ElasticsearchSink {
        urls: vec!["https://es-1:9200".to_owned(), "https://es-2:9200/prefix".to_owned()],
        index: template("{target}-{time:%Y}"),
        auth: Some(ElasticsearchAuth::Basic { user: "elastic".to_owned(), password: "changeme".into() }),
        id: Some(template("{key}")),
        op: Some(Op::Merge),
        versions: Versions::Offset,
        batch: BulkPolicy { bytes: 1_000_000, records: 10 },
        workers: 16,
        ca: Some(PathBuf::from("/etc/wasmill/certs/ca.pem")),
        timeout: Duration::from_secs(90),
    };
    assert_eq!(loaded.pipeline.sinks["es"], Sink::Elasticsearch(expected));
    let day = Some(Duration::from_secs(86_400));
    assert_eq!(redis(&loaded, "text"), RedisCommand::String { ttl: day });
    assert_eq!(redis(&loaded, "fields"), RedisCommand::Hash { field: None, ttl: None });
    let field = Some(template("{partition}:{offset}"));
    assert_eq!(redis(&loaded, "field"), RedisCommand::Hash { field, ttl: None });
    assert_eq!(redis(&loaded, "doc"), RedisCommand::Json { path: "$.last".to_owned(), ttl: None });
    assert_eq!(redis(&loaded, "list"), RedisCommand::List { maxlen: Some(100), ttl: None });
    assert_eq!(redis(&loaded, "stream"), RedisCommand::Stream { maxlen: Some(1000), field: "body".to_owned() });
    assert_eq!(redis(&loaded, "bus"), RedisCommand::Publish);
    let hour = Some(Duration::from_secs(3600));
    assert_eq!(redis(&loaded, "count"), RedisCommand::Counter { field: None, ttl: hour });
    let field = Some(template("{key}"));
    assert_eq!(redis(&loaded, "counts"), RedisCommand::Counter { field, ttl: None });
    let counters = ["count", "counts", "text"].map(|name| match &loaded.pipeline.sinks[name] {
        Sink::Redis(sink) => (sink.versions, sink.ttl_header.as_deref()),
        other => panic!("{other:?}"),
    });
    let counts_once = [(Some(Versions::Offset), Some("lives")), (Some(Versions::Module), None), (None, None)];
    assert_eq!(counters, counts_once);
    assert_eq!(kafka(&loaded, "kept").partition, Partitioning::Keep);
    assert_eq!(loaded.pipeline.source.topics, ["a", "b.c", r"^orders\..*"]);
    assert_eq!(loaded.pipeline.sinks["file"], Sink::File { path: PathBuf::from("/etc/wasmill/out/records.ndjson") });
    let place = KeyValuePlace::Redis {
        url: "redis://10.0.0.1/2".into(),
        prefix: "every.sink_there-is:".to_owned(),
        timeout: Duration::from_millis(250),
    };
    let read_only = Bucket { read_only: true, ttl: None };
    let window = Bucket { read_only: false, ttl: hour };
    let buckets = [("items".to_owned(), read_only), ("seen".to_owned(), window)].into();
    let keyvalue = KeyValue { place, value_max: 1 << 10, buckets };
    let http = vec!["https://api.example.com".to_owned(), "http://127.0.0.1:8080".to_owned()];
    assert_eq!(loaded.pipeline.module.grants, Grants { http, keyvalue: Some(keyvalue) });
}

#[test]
fn variables_are_put_in() {
    let loaded = load_valid("variables.yaml");
    let source = &loaded.pipeline.source;
    assert_eq!(source.brokers, ["k1:9092", "k2:9092"]);
    assert_eq!(source.group, "fallback-group");
    assert_eq!(source.batch.records, 7);
    assert_eq!(source.properties.get("sasl.password").unwrap().expose(), PASSWORD);
    assert_eq!(loaded.pipeline.module.config[0].1, "${NOT} $5 a$$");
    let Sink::Redis(sink) = &loaded.pipeline.sinks["out"] else { panic!() };
    assert_eq!(sink.url.expose(), "redis://u:hunter2@r");
    let Sink::Elasticsearch(open) = &loaded.pipeline.sinks["open"] else { panic!() };
    assert_eq!((&open.auth, &open.ca), (&None, &None), "variables that hold nothing");
}

#[test]
fn what_a_variable_holds_is_never_yaml_nor_another_variable() {
    let text = "pipeline: p\nsource: { kafka: { brokers: [k:9092], topics: [in] } }\n\
                module: { ref: m@1, config: { a: \"${EVIL}\" } }\nroutes: { r: [o] }\nsinks: { o: { stdout: {} } }\n";
    let evil = "x }\nenabled: false # ${PASSWORD}";
    let vars = Vars(BTreeMap::from([("EVIL", evil), ("PASSWORD", PASSWORD)]));
    let loaded = load(text, "p.yaml", Path::new(BASE), &vars).unwrap();
    assert_eq!(loaded.pipeline.module.config, [("a".to_owned(), evil.to_owned())]);
    assert!(loaded.pipeline.enabled);
}

#[test]
fn anchors_share_sections() {
    let loaded = load_valid("anchors.yaml");
    assert_eq!(kafka(&loaded, "b").topic, "b");
    assert_eq!(kafka(&loaded, "b").properties, kafka(&loaded, "a").properties);
    assert_eq!(kafka(&loaded, "b").brokers, ["k:9092"]);
}

#[test]
fn a_json_body_is_a_pipeline_file() {
    let pipeline = load_valid("json.yaml").pipeline;
    assert_eq!((pipeline.source.batch.records, pipeline.enabled), (5, false));
    let config: Vec<_> = pipeline.module.config.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(config, ["1", "false", "é"]);
}
