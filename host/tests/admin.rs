//! The admin API over real HTTP on the loopback interface, without a Kafka server: who is let in, what is refused and
//! in which words, health and metrics.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use support::{Kafka, guest, wait_until};
use wasmill::{
    admin::{self, ServeError},
    config::NoVariables,
    control::{Controller, Options},
};

/// A host with its admin API and nothing else.
struct Admin {
    url: String,
    controller: Controller,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
    data: tempfile::TempDir,
    _host: support::Host,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Admin {
    fn start(token: Option<&str>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let (host, runtime) = (support::host(), runtime.expect("a runtime"));
        let data = tempfile::tempdir().expect("a folder");
        let options = Options {
            data: data.path().join("data"),
            engine: host.engine.clone(),
            runtime: runtime.handle().clone(),
            vars: Arc::new(NoVariables),
        };
        let controller = Controller::open(options).expect("a controller");
        let options = options_of("127.0.0.1:0", token, &data);
        let serving = runtime.block_on(admin::serve(controller.clone(), options, std::future::pending()));
        let (address, server) = serving.unwrap_or_else(|error| panic!("{error}"));
        runtime.spawn(server);
        let url = format!("http://{address}");
        Self { url, controller, runtime, http: reqwest::Client::new(), data, _host: host }
    }

    fn ask(&self, method: &str, path: &str, token: Option<&str>, body: impl Into<reqwest::Body>) -> Answer {
        let method: Method = method.parse().expect("a method");
        let request = self.http.request(method, format!("{}{path}", self.url)).body(body);
        let request = token.into_iter().fold(request, |request, token| request.header("authorization", token));
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap_or_else(|error| panic!("{path}: {error}"));
            let (status, headers) = (answer.status(), answer.headers().clone());
            Answer { status, headers, body: answer.bytes().await.expect("a body").to_vec() }
        })
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None, "")
    }

    /// The document's calls: method and path, places filled with `x`.
    fn calls(&self) -> Vec<(String, String)> {
        let document = admin::openapi();
        let paths = document["paths"].as_object().expect("paths").iter();
        let calls = paths.flat_map(|(path, methods)| {
            let path =
                ["{name}", "{version}", "{batch}"].iter().fold(path.clone(), |path, place| path.replace(place, "x"));
            let methods = methods.as_object().expect("methods").keys();
            methods.map(move |method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        });
        calls.collect()
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.controller.shutdown(Duration::from_secs(10));
    }
}

fn options_of(listen: &str, token: Option<&str>, folder: &tempfile::TempDir) -> admin::Options {
    let listen = listen.parse().expect("an address");
    admin::Options { listen, token: token.map(Into::into), base: folder.path().to_owned() }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{:?}", String::from_utf8_lossy(&self.body)))
    }

    /// A problem document (RFC 9457) that is whole; answers it.
    fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(
            (self.status.as_u16(), self.header("content-type")),
            (status, "application/problem+json"),
            "{problem}"
        );
        assert_eq!(
            (problem["code"].as_str(), problem["status"].as_u64()),
            (Some(code), Some(status.into())),
            "{problem}"
        );
        assert_eq!(problem["type"], format!("urn:wasmill:{code}"));
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{problem}");
        problem
    }
}

#[test]
fn only_the_token_opens_what_the_document_guards() {
    let admin = Admin::start(Some("s3cret"));
    let calls = admin.calls();
    assert!(calls.len() > 10, "{calls:?}");
    for (method, path) in &calls {
        let answer = admin.ask(method, path, None, "");
        if path.starts_with("/v1/") {
            answer.problem(401, "unauthorised");
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{path}");
        } else {
            assert_eq!(answer.status, StatusCode::OK, "{path} is for probes, which know no token");
        }
    }
    for wrong in ["Bearer", "Bearer ", "Bearer S3cret", "Bearer s3cre", "Bearer s3crett", "s3cret", "Basic s3cret"] {
        admin.ask("GET", "/v1/modules", Some(wrong), "").problem(401, "unauthorised");
    }
    for right in ["Bearer s3cret", "bearer s3cret"] {
        assert_eq!(admin.ask("GET", "/v1/modules", Some(right), "").status, StatusCode::OK, "{right}");
    }
}

#[test]
fn without_a_token_only_the_loopback_interface_is_served() {
    let admin = Admin::start(None);
    let options = options_of("0.0.0.0:0", None, &admin.data);
    let serving = admin.runtime.block_on(admin::serve(admin.controller.clone(), options, std::future::ready(())));
    assert!(matches!(serving.map(drop), Err(ServeError::NoToken(_))));
    let options = options_of("0.0.0.0:0", Some("t"), &admin.data);
    let serving = admin.runtime.block_on(admin::serve(admin.controller.clone(), options, std::future::ready(())));
    assert!(serving.is_ok());
}

#[test]
fn what_is_served_is_what_the_document_says() {
    let admin = Admin::start(None);
    assert_eq!(admin.get("/v1/openapi.json").json(), admin::openapi());
    for (method, path) in admin.calls() {
        let answer = admin.ask(&method, &path, None, "");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        assert!(!text.contains("no such path"), "{method} {path}: {text}");
        assert!(!answer.status.is_server_error(), "{method} {path}: {text}");
    }
}

#[test]
fn every_refusal_is_a_problem_that_says_what_is_wrong() {
    let admin = Admin::start(None);
    let other_world = guest("other-world");
    let cases: [(&str, &str, &[u8], u16, &str, &str); 28] = [
        ("GET", "/v1/pipelines/ghost", b"", 404, "not-found", "`ghost`"),
        ("DELETE", "/v1/pipelines/ghost", b"", 404, "not-found", "`ghost`"),
        ("POST", "/v1/pipelines/ghost/pause", b"", 404, "not-found", "`ghost`"),
        ("POST", "/v1/pipelines/ghost/swap", b"{}", 404, "not-found", "`ghost`"),
        ("GET", "/v1/ghosts", b"", 404, "not-found", "/v1/openapi.json"),
        ("GET", "/", b"", 404, "not-found", "/v1/openapi.json"),
        ("DELETE", "/v1/modules", b"", 405, "method-not-allowed", "`Allow`"),
        ("POST", "/livez", b"", 405, "method-not-allowed", "`Allow`"),
        ("GET", "/v1/pipelines/%ff", b"", 400, "bad-request", "UTF-8"),
        ("GET", "/v1/pipelines/ghost/logs?after=soon", b"", 400, "bad-request", "after"),
        ("PUT", "/v1/pipelines/two%20words", b"", 400, "bad-name", "`two words`"),
        ("PUT", "/v1/pipelines/p", b"\xff\xfe", 400, "bad-request", "UTF-8"),
        ("PUT", "/v1/pipelines/p", b"pipeline: [", 422, "bad-config", "p:1:11: unclosed bracket"),
        ("POST", "/v1/pipelines/p/swap", b"{", 400, "bad-request", "line 1 column 1"),
        ("POST", "/v1/pipelines/p/swap", br#"{"modul":"m@1"}"#, 400, "bad-request", "`modul`"),
        ("POST", "/v1/pipelines/p/invoke", b"", 400, "bad-request", "`records`"),
        ("POST", "/v1/pipelines/p/invoke", br#"{"records":[],"batch":"b"}"#, 400, "bad-request", "not both"),
        ("PATCH", "/v1/pipelines/ghost", b"{}", 404, "not-found", "`ghost`"),
        ("PATCH", "/v1/pipelines/p", b"[]", 400, "bad-request", "a map"),
        ("POST", "/v1/pipelines/ghost/seek", br#"{"to":"earliest"}"#, 404, "not-found", "`ghost`"),
        ("POST", "/v1/pipelines/ghost/seek", br#"{"to":"soon"}"#, 400, "bad-request", "`release:N`"),
        ("POST", "/v1/pipelines/ghost/seek", br#"{"to":{"t":{"x":1}}}"#, 400, "bad-request", "`x` of topic `t`"),
        ("POST", "/v1/pipelines/ghost/seek", br#"{"to":7}"#, 400, "bad-request", "a word, or offsets"),
        ("POST", "/v1/pipelines/ghost/fire", b"", 404, "not-found", "`ghost`"),
        ("GET", "/v1/pipelines/ghost/batches", b"", 404, "not-found", "`ghost`"),
        ("PUT", "/v1/modules/m/1", b"hello there", 422, "not-wasm", "hello there"),
        ("PUT", "/v1/modules/m/1", b"", 422, "not-wasm", "empty"),
        ("PUT", "/v1/modules/m/1", &other_world, 422, "wrong-world", "`wasmill:transform/meta@0.1.0`"),
    ];
    for (method, path, body, status, code, words) in cases {
        let answer = admin.ask(method, path, None, body.to_vec());
        let detail = answer.problem(status, code)["detail"].as_str().expect("text").to_owned();
        assert!(detail.contains(words), "{method} {path}: {detail:?} does not say {words:?}");
        let allow = answer.header("allow");
        assert_eq!(status == 405, allow.contains("GET"), "{method} {path}: allows {allow:?}");
    }
    admin.ask("PUT", "/v1/modules/two%20words/1", None, "").problem(400, "bad-name");
    assert_eq!(admin.get("/v1/modules").json(), json!([]), "nothing of all that was kept");
    assert_eq!(admin.get("/v1/pipelines").json(), json!([]));
}

#[test]
fn mistakes_of_a_pipeline_come_with_their_places() {
    let admin = Admin::start(None);
    let text = "pipeline: p\nsource:\n  kafka: { brokers: [k:9092], topics: [in], grup: g }\nmodule: { ref: m@1 }\nroutse: {}\n";
    let problem = admin.ask("PUT", "/v1/pipelines/p", None, text).problem(422, "bad-config");
    let problems = problem["problems"].as_array().expect("problems");
    let places = problems.iter().map(|problem| (&problem["line"], &problem["column"], &problem["path"]));
    let expected = [(json!(3), json!(45), json!("source.kafka.grup")), (json!(5), json!(1), json!("routse"))];
    assert!(places.eq(expected.iter().map(|(line, column, path)| (line, column, path))), "{problems:#?}");
}

#[test]
fn a_body_that_is_too_large_is_refused_and_not_kept() {
    let admin = Admin::start(None);
    let limit = 64 << 20;
    let problem = admin.ask("PUT", "/v1/modules/m/1", None, vec![0; limit + 1]).problem(413, "body-too-large");
    assert!(problem["detail"].as_str().expect("text").contains("64 MiB"), "{problem}");
    // One byte less is read whole, and found to be no module.
    admin.ask("PUT", "/v1/modules/m/1", None, vec![0; limit]).problem(422, "not-wasm");
}

#[test]
fn a_version_keeps_its_bytes() {
    let admin = Admin::start(None);
    let put = |bytes: Vec<u8>| admin.ask("PUT", "/v1/modules/mine/1.0.0", None, bytes);
    let first = put(guest("identity")).json();
    assert_eq!((first["name"].as_str(), first["version"].as_str()), (Some("mine"), Some("1.0.0")));
    assert_eq!((first["world"].as_str(), first["settings"][0]["name"].as_str()), (Some("columns"), Some("copy")));
    assert!(first["compiled_in_ms"].is_u64());
    assert_eq!(put(guest("identity")).json()["digest"], first["digest"], "the same again is no mistake");
    put(guest("filter")).problem(409, "module-exists");
    let modules = admin.get("/v1/modules").json();
    let digests: Vec<_> = modules.as_array().expect("modules").iter().map(|module| &module["digest"]).collect();
    assert_eq!(digests, [&first["digest"]]);
}

/// A sample of the text format: its name, its labels as they are written, its value.
type Sample = (String, String, f64);

/// Reads OpenMetrics text, and looks at what makes Prometheus refuse a scrape: a sample without its family's type, a
/// counter without `_total`, a family or a series twice, a value that is no number, no end.
fn samples(text: &str) -> Vec<Sample> {
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    let (mut families, mut series, mut samples) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut family = (String::new(), String::new());
    for line in body.lines() {
        if let Some(said) = line.strip_prefix("# TYPE ") {
            let (name, kind) = said.split_once(' ').expect("a name and a type");
            assert!(families.insert(name.to_owned()), "{name} has two types");
            family = (name.to_owned(), kind.to_owned());
        } else if !line.starts_with('#') {
            let (labelled, value) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = labelled.split_once('{').unwrap_or((labelled, "}"));
            let labels = labels.strip_suffix('}').expect("labels end");
            let suffixes: &[&str] = match family.1.as_str() {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_count", "_sum"],
                _ => &[""],
            };
            let is_of = suffixes.iter().any(|suffix| name == format!("{}{suffix}", family.0));
            assert!(is_of, "{line:?} is not of the family above it");
            assert!(name.starts_with("wasmill_"), "{name}");
            assert!(series.insert(labelled.to_owned()), "{labelled} comes twice");
            samples.push((name.to_owned(), labels.to_owned(), value.parse().expect("a number")));
        }
    }
    samples
}

fn sample(samples: &[Sample], name: &str, labels: &str) -> f64 {
    let found = samples.iter().find(|sample| sample.0 == name && sample.1 == labels);
    found.unwrap_or_else(|| panic!("no {name} of {labels} in {samples:#?}")).2
}

#[test]
fn an_idle_host_is_alive_and_ready_and_has_metrics_that_parse() {
    let admin = Admin::start(None);
    let live = admin.get("/livez");
    assert_eq!((live.status, live.body.len()), (StatusCode::OK, 0));
    let ready = admin.get("/readyz");
    assert_eq!((ready.status, ready.json()), (StatusCode::OK, json!({ "ready": true, "trouble": [] })));
    let metrics = admin.get("/metrics");
    assert_eq!(metrics.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(samples(&String::from_utf8(metrics.body).expect("text")), []);
}

/// A pipeline of a mock cluster, with this module, which is pushed first.
fn put(admin: &Admin, kafka: &Kafka, name: &str, module: &str, more: &str) {
    assert_eq!(admin.ask("PUT", &format!("/v1/modules/{module}/1"), None, guest(module)).status, StatusCode::OK);
    let text = format!(
        "pipeline: {name}\nsource: {{ kafka: {{ brokers: [{brokers}], topics: [in] }} }}\nmodule: {{ ref: {module}@1 }}\n\
         routes: {{ out: [out], fired: [out] }}\nsinks: {{ out: {{ kafka: {{ topic: out }} }} }}\n{more}",
        brokers = kafka.mock.brokers()
    );
    let put = admin.ask("PUT", &format!("/v1/pipelines/{name}"), None, text);
    assert_eq!(put.status, StatusCode::OK, "{}", String::from_utf8_lossy(&put.body));
}

#[test]
fn a_patch_says_what_it_did_and_a_wrong_one_does_nothing() {
    let kafka = Kafka::start(&[("in", 1), ("out", 1)]);
    let admin = Admin::start(None);
    put(&admin, &kafka, "p", "timed", "");
    let patch = |body: Value| admin.ask("PATCH", "/v1/pipelines/p", None, body.to_string());
    let effects = [
        (json!({}), "none", 1),
        (json!({ "source": { "kafka": { "batch": { "records": 5 } } } }), "live", 1),
        (
            json!({ "timer": { "cron": "0 0 1 1 *", "timezone": "Europe/Berlin" }, "errors": { "retries": 3 } }),
            "live",
            1,
        ),
        (json!({ "module": { "config": { "fire": "nothing" } } }), "swap", 2),
        (json!({ "routes": { "other": ["out"] } }), "swap", 3),
        (json!({ "source": { "kafka": { "lanes": 2 } } }), "restart", 4),
        (json!({ "enabled": false }), "stopped", 4),
        (json!({ "errors": { "retries": 4 } }), "none", 4),
        (json!({ "enabled": true }), "started", 4),
        (json!({ "enabled": null, "timer": null, "errors": null }), "live", 4),
    ];
    for (body, effect, release) in effects {
        let answer = patch(body.clone()).json();
        assert_eq!((&answer["effect"], &answer["release"]), (&json!(effect), &json!(release)), "{body}: {answer}");
        if body["timer"].is_object() {
            let trigger = admin.get("/v1/pipelines/p").json()["trigger"].clone();
            assert_eq!((&trigger["retries"], &trigger["timer"]["timezone"]), (&json!(3), &json!("Europe/Berlin")));
            assert!(
                trigger["timer"]["next"].as_str().is_some_and(|next| next.ends_with("-12-31T23:00:00Z")),
                "{trigger}"
            );
        }
    }
    let problem =
        patch(json!({ "source": { "kafka": { "batch": { "records": "many" } } } })).problem(422, "bad-config");
    assert_eq!(problem["problems"][0]["path"], "source.kafka.batch.records");
    patch(json!({ "pipeline": "q" })).problem(400, "bad-request");
    patch(json!({ "module": { "ref": "nothing@1" } })).problem(404, "not-found");
    patch(json!({ "module": { "config": null, "ref": "timed@1" }, "routes": { "fired": null } }))
        .problem(422, "routes-do-not-fit");
    let status = admin.get("/v1/pipelines/p").json();
    assert_eq!((&status["release"], &status["trigger"]["batch"]["records"]), (&json!(4), &json!(5)), "{status}");
}

#[test]
fn settings_of_a_deployment_outlive_a_patch() {
    let kafka = Kafka::start(&[("in", 1), ("out", 1)]);
    let admin = Admin::start(None);
    put(&admin, &kafka, "p", "timed", "");
    let swapped = admin.ask("POST", "/v1/pipelines/p/swap", None, r#"{"config":{"fire":"reject"}}"#);
    assert_eq!(swapped.status, StatusCode::OK);
    let fired = || admin.ask("POST", "/v1/pipelines/p/invoke", None, r#"{"fire":1000}"#).json();
    for body in [r#"{"errors":{"retries":2}}"#, r#"{"module":{"limits":{"time":"2s"}}}"#] {
        assert_eq!(admin.ask("PATCH", "/v1/pipelines/p", None, body).status, StatusCode::OK);
        assert_eq!(fired()["records"][0]["rejected"], "told to reject", "{body}");
    }
}

#[test]
fn saved_batches_are_put_given_and_deleted() {
    let kafka = Kafka::start(&[("in", 1), ("out", 1)]);
    let admin = Admin::start(None);
    put(&admin, &kafka, "p", "timed", "");
    let path = "/v1/pipelines/p/batches/first";
    let ask = |method: &str, path: &str, body: &str| admin.ask(method, path, None, body.to_owned());
    ask("PUT", path, r#"{"recrods":[]}"#).problem(400, "bad-request");
    ask("PUT", path, r#"{"records":[{"key_base64":"!"}]}"#).problem(400, "bad-request");
    ask("PUT", "/v1/pipelines/p/batches/First", "{}").problem(400, "bad-name");
    let large = format!(r#"{{"records":[{{"value":"{}"}}]}}"#, "x".repeat(4 << 20));
    ask("PUT", path, &large).problem(400, "bad-request");
    let saved = ask("PUT", path, r#"{"topic":"t","records":[{"value":"a"},{"value":"b"}],"fire":5000}"#).json();
    assert_eq!((&saved["batch"], &saved["records"]), (&json!("first"), &json!(2)));
    assert_eq!(admin.get("/v1/pipelines/p/batches").json().as_array().map(Vec::len), Some(1));
    assert_eq!(admin.get(path).json()["fire"], 5000);
    let given = ask("POST", "/v1/pipelines/p/invoke", r#"{"batch":"first"}"#).json();
    assert_eq!(given["records"][2]["value"], "5000 0 2", "{given}");
    assert!(given["delivered"].is_null());
    let delivered = ask("POST", "/v1/pipelines/p/invoke", r#"{"batch":"first","fire":6000,"deliver":true}"#).json();
    assert_eq!(delivered["delivered"], json!({ "records": 3, "dead_lettered": 0 }), "{delivered}");
    let read = kafka.read("out", 1, 3);
    assert_eq!(read.iter().filter_map(|record| record.value.as_deref()).collect::<Vec<_>>(), ["a", "b", "6000 0 2"]);
    assert_eq!(ask("DELETE", path, "").status, StatusCode::NO_CONTENT);
    let gone = ask("POST", "/v1/pipelines/p/invoke", r#"{"batch":"first"}"#).problem(404, "not-found");
    assert!(gone["detail"].as_str().is_some_and(|said| said.contains("saved batch `first`")), "{gone}");
}

#[test]
fn a_pipeline_shows_in_metrics_and_its_failure_in_readyz() {
    let kafka = Kafka::start(&[("in", 1), ("out", 1)]);
    let admin = Admin::start(None);
    for (name, module) in [("good", "identity"), ("bad", "evil")] {
        assert_eq!(admin.ask("PUT", &format!("/v1/modules/{module}/1"), None, guest(module)).status, StatusCode::OK);
        let config = if module == "evil" { "{ mode: fatal, when: poison }" } else { "{}" };
        let text = format!(
            "pipeline: {name}\nsource: {{ kafka: {{ brokers: [{brokers}], topics: [in], start: earliest }} }}\n\
             module: {{ ref: {module}@1, config: {config} }}\nroutes: {{ out: [out] }}\n\
             sinks: {{ out: {{ kafka: {{ brokers: [{brokers}], topic: out }} }} }}\n",
            brokers = kafka.mock.brokers()
        );
        let put = admin.ask("PUT", &format!("/v1/pipelines/{name}"), None, text);
        assert_eq!(put.status, StatusCode::OK, "{}", String::from_utf8_lossy(&put.body));
    }
    let scrape = || samples(&String::from_utf8(admin.get("/metrics").body).expect("text"));
    let read_all = |count: f64| {
        let samples = scrape();
        ["good", "bad"].iter().all(|name| {
            let labels = format!("pipeline=\"{name}\"");
            sample(&samples, "wasmill_records_in_total", &labels) == count
        })
    };
    kafka.write("in", 1, (0..20).map(|number| number.to_string()));
    wait_until("both pipelines to be through", || read_all(20.0));
    assert_eq!(admin.get("/readyz").status, StatusCode::OK);
    let samples = scrape();
    let good = "pipeline=\"good\"";
    assert_eq!(sample(&samples, "wasmill_records_out_total", good), 20.0);
    assert_eq!(sample(&samples, "wasmill_pipeline_running", good), 1.0);
    assert!(sample(&samples, "wasmill_guest_memory_bytes", good) > 65_536.0);
    assert!(sample(&samples, "wasmill_module_nanoseconds_total", good) > 0.0);

    kafka.write("in", 1, ["poison".to_owned()].into_iter());
    wait_until("the bad pipeline to fail", || admin.get("/readyz").status == StatusCode::SERVICE_UNAVAILABLE);
    let ready = admin.get("/readyz");
    assert_eq!(
        (ready.header("content-type"), ready.json()),
        ("application/json", json!({ "ready": false, "trouble": ["bad"] }))
    );
    assert_eq!(admin.get("/livez").status, StatusCode::OK, "the process lives");
    let status = admin.get("/v1/pipelines/bad").json();
    assert_eq!(status["state"], "failed");
    assert!(status["reason"].as_str().is_some_and(|reason| reason.contains("told to stop")), "{status}");
}

#[test]
fn a_granted_store_is_counted_and_a_trial_leaves_it_alone() {
    let kafka = Kafka::start(&[("in", 1), ("out", 1)]);
    let admin = Admin::start(None);
    assert_eq!(admin.ask("PUT", "/v1/modules/keyvalue/1", None, guest("keyvalue")).status, StatusCode::OK);
    let put = |grants: &str| {
        let text = format!(
            "pipeline: store\nsource: {{ kafka: {{ brokers: [{brokers}], topics: [in] }} }}\n\
             module: {{ ref: keyvalue@1, grants: {grants} }}\nroutes: {{ out: [out] }}\n\
             sinks: {{ out: {{ kafka: {{ brokers: [{brokers}], topic: out }} }} }}\n",
            brokers = kafka.mock.brokers()
        );
        admin.ask("PUT", "/v1/pipelines/store", None, text)
    };
    let refused = put("{}");
    assert_eq!(
        (refused.status, refused.json()["code"].clone()),
        (StatusCode::UNPROCESSABLE_ENTITY, json!("not-granted"))
    );
    assert_eq!(put("{ keyvalue: { memory: { buckets: { default: {}, items: {} } } } }").status, StatusCode::OK);
    kafka.write("in", 1, ["- add n 5", "- many n x y"].map(str::to_owned).into_iter());
    kafka.read("out", 1, 2);

    let body = json!({
        "keyvalue": { "items": { "a": { "b": 1 } } },
        "records": [{ "value": "items get a" }, { "value": "- get n" }, { "value": "- add n 1" }],
    });
    let tried = admin.ask("POST", "/v1/pipelines/store/invoke", None, body.to_string()).json();
    let values: Vec<&Value> = (0..3).map(|record| &tried["records"][record]["value"]).collect();
    assert_eq!(values, [r#"{"b":1}"#, "nothing", "1"], "{tried}");
    let body = json!({ "keyvalue": { "other": {} }, "records": [] }).to_string();
    let strange = admin.ask("POST", "/v1/pipelines/store/invoke", None, body);
    assert_eq!(strange.status, StatusCode::BAD_REQUEST);
    assert!(strange.json()["detail"].as_str().is_some_and(|detail| detail.contains("`default`, `items`")));

    let status = admin.get("/v1/pipelines/store").json();
    let store = &status["keyvalue"];
    assert_eq!((&store["operations"]["get"], &store["operations"]["increment"]), (&json!(1), &json!(1)), "{status}");
    assert_eq!((&store["keys"], &store["misses"], &store["entries"]), (&json!(4), &json!(2), &json!(1)), "{status}");
    let samples = samples(&String::from_utf8(admin.get("/metrics").body).expect("text"));
    let labels = "pipeline=\"store\"";
    assert_eq!(sample(&samples, "wasmill_keyvalue_misses_total", labels), 2.0);
    assert_eq!(sample(&samples, "wasmill_keyvalue_entries", labels), 1.0);
    let gets = "pipeline=\"store\",operation=\"get\"";
    assert_eq!(sample(&samples, "wasmill_keyvalue_operations_total", gets), 1.0);
}
