//! An Elasticsearch sink.

use std::time::Duration;

use url::Url;

use crate::config::{
    raw::RawElasticsearch,
    sinks::{BulkPolicy, ElasticsearchAuth, ElasticsearchSink, Versions},
    template::{Part, Template},
    validate::Check,
    value::{At, Filled, Value},
};

/// What Elasticsearch takes in no index name.
const NOT_IN_INDEX: [char; 12] = ['\\', '/', '*', '?', '"', '<', '>', '|', ' ', ',', '#', ':'];

impl Check<'_> {
    pub(super) fn elasticsearch(&mut self, raw: &At<RawElasticsearch>) -> Option<ElasticsearchSink> {
        let urls = self.section(raw.node, "urls", &raw.urls).and_then(|urls| {
            let read = urls.iter().filter_map(|url| self.node_url(url)).collect();
            self.not_empty(urls, read)
        });
        let index = self.required(raw.node, "index", &raw.index);
        if let (Some(template), Some(value)) = (&index, &raw.index) {
            self.index(template, value);
        }
        let default = BulkPolicy::default();
        let batch = raw.batch.as_ref();
        Some(ElasticsearchSink {
            auth: self.auth(raw),
            id: self.optional(&raw.id),
            op: self.optional(&raw.op).map(|op| op.0),
            versions: self.optional(&raw.versions).map_or(Versions::Module, |versions| versions.0),
            batch: BulkPolicy {
                bytes: batch.and_then(|raw| self.optional(&raw.bytes)).map_or(default.bytes, |bytes| bytes.0 as usize),
                records: batch.and_then(|raw| self.optional(&raw.records)).map_or(default.records, |n| n.0 as usize),
            },
            workers: self.optional(&raw.workers).map_or(4, |workers| workers.0 as usize),
            ca: raw.tls.as_ref().and_then(|tls| self.optional(self.said(&tls.ca))).map(|ca| self.base.join(ca.0)),
            timeout: self.optional(&raw.timeout).map_or(Duration::from_secs(30), |timeout| timeout.0),
            urls: urls?,
            index: index?,
        })
    }

    fn node_url(&mut self, value: &Value<Filled>) -> Option<String> {
        let text = self.read(value)?.0;
        let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        match url {
            Some(url) if !url.username().is_empty() || url.password().is_some() => {
                let help = "write `user` and `password` beside `urls`, or `api_key`".to_owned();
                self.problem(value.node, "the URL holds credentials", Some(help));
                None
            }
            Some(_) => Some(text),
            None => {
                let message = format!("expected the URL of a node, found {}", self.document.shown(value.node));
                self.problem(value.node, message, Some("write it as `https://host:9200`".to_owned()));
                None
            }
        }
    }

    /// What is fixed about an index must be fit for one; what records put in is the sink's affair.
    fn index(&mut self, template: &Template, value: &Value<Template>) {
        let is_bad = |part: &Part| match part {
            Part::Text(text) => text.contains(NOT_IN_INDEX) || text.chars().any(char::is_uppercase),
            _ => false,
        };
        let starts_badly = matches!(template.parts(), [Part::Text(text), ..] if text.starts_with(['-', '_', '+']));
        if starts_badly || template.parts().iter().any(is_bad) {
            let message = format!("{} is not the name of an index", self.document.shown(value.node));
            let help = "an index has no upper-case letter, no blank and none of \\ / * ? \" < > | , # :, and begins \
                        with none of - _ +";
            self.problem(value.node, message, Some(help.to_owned()));
        }
    }

    /// A value, unless it is a variable that holds nothing: one file then serves clusters with and without credentials.
    fn said<'r>(&self, value: &'r Option<Value<Filled>>) -> &'r Option<Value<Filled>> {
        match value {
            Some(one) if self.document.is_empty_variable(one.node) => &None,
            _ => value,
        }
    }

    fn auth(&mut self, raw: &At<RawElasticsearch>) -> Option<ElasticsearchAuth> {
        let given = [&raw.user, &raw.password, &raw.api_key].map(|value| self.said(value));
        let [user, password, api_key] = given.map(|value| self.optional(value).map(|text| text.0));
        match given {
            [None, None, _] => api_key.map(|key| ElasticsearchAuth::ApiKey(key.into())),
            [Some(_), Some(_), None] => Some(ElasticsearchAuth::Basic { user: user?, password: password?.into() }),
            _ => {
                // What is wrong with one of them was said: it may be that it holds nothing.
                let mut all = [&raw.user, &raw.password, &raw.api_key].into_iter().flatten();
                if !all.any(|value| self.document.is_incomplete(value.node)) {
                    self.key_problem(raw.node, "expected either `user` and `password`, or `api_key`", None);
                }
                None
            }
        }
    }
}
