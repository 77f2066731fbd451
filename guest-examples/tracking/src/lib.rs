//! Behaviour of users, ready for recommendations: each event once, with what is known of its item, and a count for
//! each item and action.
//!
//! An event that comes again is dropped. That one is the first of its id is written down with where it was read, so a
//! record that is read again after a crash is not taken for its own repetition. All that a batch asks of the store is
//! three round trips.

mod event;

use std::collections::{BTreeSet, HashMap};

use event::{Event, Fields};
use serde_json::Value;
use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads, Row, kv::Bucket, metrics};

const EVENTS: u16 = 0;
const COUNTS: u16 = 1;

struct Tracking {
    fields: Fields,
    /// Those that are counted; none: all.
    actions: BTreeSet<String>,
    /// The member that takes what is known of the item.
    product: String,
    /// Whether an event of an item that nobody knows is a dead letter.
    rejects_unknown: bool,
    items: Bucket,
    seen: Bucket,
}

impl Module for Tracking {
    fn describe() -> Describe {
        Describe::new("tracking", env!("CARGO_PKG_VERSION"))
            .summary("Joins events with their items, drops those that come again, and counts.")
            .default("id", "the member that is the event's id", "id")
            .default("user", "the member that becomes the key", "user")
            .default("item", "the member that names the item", "item")
            .default("action", "the member that names the action", "action")
            .default("product", "the member to put what is known of the item into", "product")
            .default("unknown", "what becomes of an event whose item nobody knows: pass or reject", "pass")
            .optional("actions", "the actions to count, between commas; all without it")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let rejects_unknown = match config.get("unknown").unwrap_or("pass") {
            "pass" => false,
            "reject" => true,
            other => return Err(format!("setting `unknown`: `{other}` is neither pass nor reject")),
        };
        let module = Self {
            fields: Fields::new(config),
            actions: config.list("actions").into_iter().map(str::to_owned).collect(),
            product: config.get("product").unwrap_or("product").to_owned(),
            rejects_unknown,
            items: Bucket::open("items")?,
            seen: Bucket::open("seen")?,
        };
        let plan = Plan::route("events").and_route("counts").reads(Reads::KEYS | Reads::VALUES | Reads::OFFSETS);
        Ok((module, plan))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        let read: Vec<(Row<'_>, Result<Event<'_>, String>)> =
            batch.rows().map(|row| (row, self.fields.read(row.value()))).collect();
        let events = || read.iter().filter_map(|(row, event)| Some((*row, event.as_ref().ok()?)));
        let products = self.products(events().map(|(_, event)| event))?;
        let first = self.first_of_their_ids(batch, events())?;
        let (mut repeated, mut unknown) = (0, 0);
        for (row, event) in read {
            let event = match event {
                Ok(event) => event,
                Err(reason) => {
                    out.reject(row, reason);
                    continue;
                }
            };
            if !first.contains(&row.index()) {
                repeated += 1;
                continue;
            }
            let product = products.get(&event.item);
            unknown += u64::from(product.is_none());
            if let Err(reason) = self.send(row, &event, product, out) {
                out.reject(row, reason);
            }
        }
        metrics::count("repeated", repeated);
        metrics::count("unknown_items", unknown);
        Ok(())
    }
}

impl Tracking {
    /// What is known of the items of these events.
    fn products<'e>(&self, events: impl Iterator<Item = &'e Event<'e>>) -> Result<HashMap<String, Vec<u8>>, Error> {
        let items: BTreeSet<&String> = events.map(|event| &event.item).collect();
        let items: Vec<String> = items.into_iter().cloned().collect();
        let known = self.items.get_many(&items)?;
        Ok(items.into_iter().zip(known).filter_map(|(item, product)| Some((item, product?))).collect())
    }

    /// The rows whose events are the first of their id, which are remembered as such.
    fn first_of_their_ids<'e>(
        &self,
        batch: &Batch,
        events: impl Iterator<Item = (Row<'e>, &'e Event<'e>)>,
    ) -> Result<BTreeSet<u32>, Error> {
        let events: Vec<(Row<'_>, &Event<'_>)> = events.collect();
        let ids: Vec<String> = events.iter().map(|(_, event)| event.id.clone()).collect();
        let mut owners: HashMap<&str, Vec<u8>> = HashMap::new();
        for (id, owner) in ids.iter().zip(self.seen.get_many(&ids)?) {
            owner.into_iter().for_each(|owner| drop(owners.insert(id, owner)));
        }
        let (mut first, mut new) = (BTreeSet::new(), Vec::new());
        for (row, event) in events {
            let place = format!("{}:{}:{}", batch.topic(), batch.partition(), row.offset()).into_bytes();
            match owners.get(event.id.as_str()) {
                Some(owner) if *owner != place => continue,
                Some(_) => {}
                None => {
                    new.push((event.id.clone(), place.clone()));
                    owners.insert(&event.id, place);
                }
            }
            first.insert(row.index());
        }
        // Written before anything is sent: that is safe, since a batch that is given again finds its own places.
        self.seen.set_many(&new)?;
        Ok(first)
    }

    fn send(&self, row: Row<'_>, event: &Event, product: Option<&Vec<u8>>, out: &mut Output) -> Result<(), String> {
        let product = match product {
            Some(json) => {
                serde_json::from_slice::<Value>(json)
                    .map_err(|error| format!("what is known of item `{}` is no JSON: {error}", event.item))?;
                json.as_slice()
            }
            None if self.rejects_unknown => return Err(format!("nobody knows item `{}`", event.item)),
            None => b"null",
        };
        let sent = out.keep(row).route(EVENTS);
        let sent = match &event.user {
            Some(user) => sent.key(user.as_bytes()),
            None => sent,
        };
        let written = sent.write_value(|value| event.write_with(&self.product, product, value));
        written.map_err(|error| error.to_string())?;
        if self.actions.is_empty() || self.actions.contains(&event.action) {
            out.keep(row).route(COUNTS).key(event.action.as_bytes()).target(&event.item).value(b"1");
        }
        Ok(())
    }
}

wasmill_sdk::export!(Tracking);
