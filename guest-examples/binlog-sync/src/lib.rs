//! Turns row changes into what Elasticsearch and Redis are to do: put, delete, and for a changed primary key both.
//!
//! Records go out with the row as value, the primary key as key, the index or prefix as target, and a version by which
//! a sink that compares versions never brings old data back.

mod scheme;

use scheme::Scheme;
use wasmill_cdc::{Change, Op, Reader, Record};
use wasmill_sdk::{self as sdk, Batch, Config, Describe, Error, Module, Output, Plan, Reads, Row};

const ROWS: u16 = 0;
const MEMBERS: u16 = 1;
const SCHEMA: u16 = 2;

struct BinlogSync {
    reader: Reader,
    scheme: Scheme,
}

impl Module for BinlogSync {
    fn describe() -> Describe {
        Describe::new("binlog-sync", env!("CARGO_PKG_VERSION"))
            .summary("Turns row changes into puts and deletes for Elasticsearch and Redis.")
            .default("format", "who wrote the records: maxwell, canal or debezium", "maxwell")
            .required("tables", "tables and their index or prefix: shop.orders=orders;shop.users=people")
            .optional("sets", "tables as sets, key and member by column: shop.follows=user_id:followed_id")
            .optional("keys", "primary keys that records do not name: shop.orders=id;shop.lines=order_id+line")
            .optional("drop", "columns to leave out, between commas")
            .default("separator", "what stands between the columns of a key", "|")
            .default(
                "schema",
                "what becomes of DDL, of truncated tables and of marks of a snapshot: drop or route",
                "drop",
            )
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let mut reader = Reader::new(config.get("format").unwrap_or("maxwell").parse()?);
        for (table, columns) in scheme::pairs("keys", config.get("keys").unwrap_or_default())? {
            reader = reader.with_key(table, columns.split('+').map(str::trim));
        }
        let plan = Plan::route("rows").and_route("members").and_route("schema");
        let plan = plan.reads(Reads::KEYS | Reads::VALUES | Reads::OFFSETS);
        Ok((Self { reader, scheme: Scheme::new(config)? }, plan))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        for row in batch.rows() {
            let changes = match self.reader.read(&Record { key: row.key(), value: row.value(), offset: row.offset() }) {
                Ok(changes) => changes,
                Err(error) => {
                    out.reject(row, error.to_string());
                    continue;
                }
            };
            for change in &changes {
                if let Err(reason) = self.send(change, row, out) {
                    out.reject(row, reason);
                    break;
                }
            }
        }
        Ok(())
    }
}

impl BinlogSync {
    fn send(&self, change: &Change, row: Row<'_>, out: &mut Output) -> Result<(), String> {
        let table = format!("{}.{}", change.database, change.table);
        if !change.op.is_row() {
            if self.scheme.schema {
                out.keep(row).route(SCHEMA);
            }
            return Ok(());
        }
        if let Some(target) = self.scheme.tables.get(&table) {
            self.send_row(change, target, row, out)?;
        }
        if let Some((key, member)) = self.scheme.sets.get(&table) {
            self.send_member(change, key, member, row, out);
        }
        Ok(())
    }

    fn send_row(&self, change: &Change, target: &str, row: Row<'_>, out: &mut Output) -> Result<(), String> {
        let null = || format!("a column of the primary key of {}.{} is null", change.database, change.table);
        let id = change.key.id(self.scheme.separator).ok_or_else(null)?;
        if let Some(before) = change.key_before() {
            let id = before.id(self.scheme.separator).ok_or_else(null)?;
            out.keep(row)
                .route(ROWS)
                .key(id.as_bytes())
                .no_value()
                .target(target)
                .op(sdk::Op::Delete)
                .version(change.version);
        }
        let sent = out.keep(row).route(ROWS).key(id.as_bytes()).target(target);
        if change.op == Op::Delete {
            sent.no_value().op(sdk::Op::Delete).version(change.version);
            return Ok(());
        }
        let mut document = change.row.clone();
        for column in &self.scheme.drop {
            document.remove(column);
        }
        // A snapshot's row has version 0. Any other put wins over a deletion that moved a row away from this key in the
        // same event of the binlog: versions are even, so there is room for one more.
        let version = if change.version == 0 { 0 } else { change.version + 1 };
        let sent = sent.op(sdk::Op::Put).version(version);
        sent.write_value(|value| serde_json::to_writer(value, &document)).map(drop).map_err(|error| error.to_string())
    }

    /// A row is a member of the set that one of its columns names. A null on either side: of none.
    fn send_member(&self, change: &Change, key: &str, member: &str, row: Row<'_>, out: &mut Output) {
        let of = |row: &wasmill_cdc::Row| Some((row.text(key)?.into_owned(), row.text(member)?.into_owned()));
        let now = if change.op == Op::Delete { None } else { of(&change.row) };
        let before = change.before.as_ref().and_then(of).filter(|before| Some(before) != now.as_ref());
        for (pair, op) in [(before, sdk::Op::Delete), (now, sdk::Op::Put)] {
            let Some((key, member)) = pair else { continue };
            let version = change.version + u64::from(op == sdk::Op::Put && change.version > 0);
            let sent = out.keep(row).route(MEMBERS).key(key.as_bytes()).value(member.as_bytes());
            sent.target(&change.table).op(op).version(version);
        }
    }
}

wasmill_sdk::export!(BinlogSync);
