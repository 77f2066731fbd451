//! Bulk requests over HTTP, to one of several nodes.
//!
//! Nodes take turns. One that cannot be reached or cannot answer rests for a while, longer each time, as long as
//! another one is left; the worker's own pauses between attempts come on top. Of the crate `elasticsearch` the
//! transport alone is used, one for each node: its own pools know no dead nodes.

use std::{
    error::Error as _,
    time::{Duration, Instant},
};

use elasticsearch::{
    auth::Credentials,
    cert::{Certificate, CertificateValidation},
    http::{
        Method,
        headers::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
        response::Response,
        transport::{SingleNodeConnectionPool, Transport, TransportBuilder},
    },
};
use url::Url;

use super::{
    classify::{self, Bulk, FILTER},
    encode::Asked,
};
use crate::{
    config::{self, ElasticsearchAuth},
    sink::{
        Contact,
        worker::{Answer, Client, Request},
    },
};

/// First and longest rest of a node that failed.
const REST_FROM: Duration = Duration::from_secs(1);
const REST_TO: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
struct Node {
    url: Url,
    transport: Transport,
    failures: u32,
    rests_until: Option<Instant>,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    nodes: Vec<Node>,
    turn: usize,
    timeout: Duration,
}

impl Nodes {
    /// Connects with the first request.
    ///
    /// # Errors
    /// An address, certificate or key that cannot be used, for people.
    pub(super) fn new(sink: &config::ElasticsearchSink) -> Result<Self, String> {
        let nodes = sink.urls.iter().map(|url| {
            let url = Url::parse(url).map_err(|error| format!("`{url}` is no URL: {error}"))?;
            let transport = transport(sink, url.clone())?;
            Ok(Node { url, transport, failures: 0, rests_until: None })
        });
        let nodes: Vec<Node> = nodes.collect::<Result<_, String>>()?;
        if nodes.is_empty() {
            return Err("expected the URL of at least one node".into());
        }
        Ok(Self { nodes, turn: 0, timeout: sink.timeout })
    }

    /// The same nodes, to be begun with another one.
    pub(super) fn starting_at(mut self, turn: usize) -> Self {
        self.turn = turn;
        self
    }

    /// The next node that does not rest; if all do, the one that has rested longest.
    fn next(&mut self, now: Instant) -> usize {
        let count = self.nodes.len();
        let turns = (0..count).map(|step| (self.turn + step) % count);
        let awake = |index: &usize| self.nodes[*index].rests_until.is_none_or(|until| until <= now);
        let chosen = turns.clone().find(awake).or_else(|| turns.min_by_key(|index| self.nodes[*index].rests_until));
        let chosen = chosen.unwrap_or_default();
        self.turn = (chosen + 1) % count;
        chosen
    }

    fn note(&mut self, index: usize, works: bool, now: Instant) {
        let node = &mut self.nodes[index];
        if works {
            (node.failures, node.rests_until) = (0, None);
        } else {
            let rest = REST_FROM.saturating_mul(1_u32.checked_shl(node.failures).unwrap_or(u32::MAX)).min(REST_TO);
            node.failures = node.failures.saturating_add(1);
            node.rests_until = Some(now + rest);
        }
    }
}

impl Client for Nodes {
    /// Who may not see what stands at `/` may still write: only credentials that are no good fail.
    async fn greet(&mut self) -> Contact {
        let index = self.next(Instant::now());
        let answer = ask(&self.nodes[index].transport, None, self.timeout).await;
        self.note(index, matches!(answer, Ok((..500, _, _))), Instant::now());
        match answer {
            Ok((status, _, body)) => match classify::whole(status, &body) {
                Answer::Again { reason, .. } => Contact::Waits(Some(self.say(index, &reason))),
                Answer::Stop(reason) if status == 401 => Contact::Failed(self.say(index, &reason)),
                _ => Contact::Made,
            },
            Err(reason) => Contact::Waits(Some(self.say(index, &reason))),
        }
    }

    async fn send(&mut self, request: Request<'_>) -> Answer {
        let mut body = Vec::with_capacity(request.size());
        request.iter().for_each(|(bytes, _)| body.extend_from_slice(bytes));
        let index = self.next(Instant::now());
        let answer = ask(&self.nodes[index].transport, Some(body), self.timeout).await;
        let works = matches!(answer, Ok((..500, _, _)));
        self.note(index, works, Instant::now());
        match answer {
            Ok((200, _, body)) => verdicts(request, &body),
            Ok((status, pause, body)) => match classify::whole(status, &body) {
                Answer::Again { reason, .. } => Answer::Again { reason: self.say(index, &reason), pause },
                Answer::Stop(reason) => Answer::Stop(self.say(index, &reason)),
                answer => answer,
            },
            Err(reason) => Answer::Again { reason: self.say(index, &reason), pause: None },
        }
    }
}

impl Nodes {
    fn say(&self, index: usize, reason: &str) -> String {
        format!("{}: {reason}", self.nodes[index].url)
    }
}

/// A request answered with success has still an answer for each of its records.
fn verdicts(request: Request<'_>, body: &[u8]) -> Answer {
    match serde_json::from_slice::<Bulk>(body) {
        Ok(bulk) if bulk.items.len() == request.len() => {
            let judge = |((_, tag), line): ((&[u8], u8), classify::Line)| classify::item(Asked::of(tag), line.index);
            Answer::Verdicts(request.iter().zip(bulk.items).map(judge).collect())
        }
        Ok(bulk) => {
            let (answered, asked) = (bulk.items.len(), request.len());
            Answer::Stop(format!("answers for {answered} of {asked} records: is it Elasticsearch?"))
        }
        Err(error) => Answer::Stop(format!("no answer to a bulk request ({error}): is it Elasticsearch?")),
    }
}

/// A bulk request, or without a body the question who is there. Status, the pause that the server asks for, and body.
async fn ask(
    transport: &Transport,
    body: Option<Vec<u8>>,
    timeout: Duration,
) -> Result<(u16, Option<Duration>, bytes::Bytes), String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    let query = [("filter_path", FILTER)];
    let body = body.map(bytes::Bytes::from);
    let (method, path, query) = match &body {
        Some(_) => (Method::Post, "/_bulk", Some(&query)),
        None => (Method::Get, "/", None),
    };
    let answer = transport.send(method, path, headers, query, body, Some(timeout)).await;
    let answer = answer.map_err(|error| causes(&error))?;
    let (status, pause) = (answer.status_code().as_u16(), retry_after(&answer));
    let body = answer.bytes().await.map_err(|error| causes(&error))?;
    Ok((status, pause, body))
}

fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What led to an error. Its own words only name the whole URL; the causes below say what happened: a refused
/// connection, a certificate.
fn causes(error: &elasticsearch::Error) -> String {
    if error.is_timeout() {
        return "timed out".into();
    }
    let mut said = Vec::new();
    let mut cause = error.source().and_then(|error| error.source());
    while let Some(error) = cause {
        said.push(error.to_string());
        cause = error.source();
    }
    if said.is_empty() { error.to_string() } else { said.join(": ") }
}

fn transport(sink: &config::ElasticsearchSink, url: Url) -> Result<Transport, String> {
    let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(url));
    builder = match &sink.auth {
        None => builder,
        Some(ElasticsearchAuth::Basic { user, password }) => {
            builder.auth(Credentials::Basic(user.clone(), password.expose().to_owned()))
        }
        Some(ElasticsearchAuth::ApiKey(key)) => {
            // The transport takes for granted that it is fit for a header.
            let fit = key.expose().bytes().all(|byte| byte.is_ascii_graphic());
            if !fit {
                return Err("the API key has characters that no key in its encoded form has".into());
            }
            builder.auth(Credentials::EncodedApiKey(key.expose().to_owned()))
        }
    };
    if let Some(ca) = &sink.ca {
        let pem = std::fs::read(ca).map_err(|error| format!("{}: {error}", ca.display()))?;
        let authorities = Certificate::from_pem(&pem).map_err(|error| format!("{}: {error}", ca.display()))?;
        builder = builder.cert_validation(CertificateValidation::Full(authorities));
    }
    builder.build().map_err(|error| format!("the HTTP client cannot be made: {error}"))
}

#[cfg(test)]
mod tests;
