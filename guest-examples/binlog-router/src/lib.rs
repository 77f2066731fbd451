//! Sends each row change of a binlog topic to a topic of its table, keyed by primary key, and drops what is not wanted.
//!
//! Records keep their value byte for byte. Changes of one key keep their order: they come from one partition, and go
//! under one key.

mod filter;

use filter::Filter;
use wasmill_cdc::{Change, Format, Reader, Record};
use wasmill_sdk::{Batch, Config, Describe, Error, Module, Output, Plan, Reads, Row};

const SCHEMA: u16 = 1;

struct BinlogRouter {
    reader: Reader,
    filter: Filter,
    topic: String,
}

impl Module for BinlogRouter {
    fn describe() -> Describe {
        Describe::new("binlog-router", env!("CARGO_PKG_VERSION"))
            .summary("Sends each row change to a topic of its table, keyed by primary key.")
            .default("format", "who wrote the records: maxwell or debezium", "maxwell")
            .default("topic", "the topic, with {database} and {table}", "{database}.{table}")
            .default("tables", "tables to keep as database.table, with * for any text, between commas", "*")
            .optional("ignore", "tables to drop, likewise; wins over `tables`")
            .default("types", "kinds of change to keep, between commas", "insert,update,delete,snapshot")
            .optional("where", "conditions that a row has to meet, between commas: status=paid,region!=eu")
            .optional("keys", "primary keys that records do not name: shop.orders=id;shop.lines=order_id+line")
    }

    fn init(config: &Config) -> Result<(Self, Plan), String> {
        let format: Format = config.get("format").unwrap_or("maxwell").parse()?;
        if format == Format::Canal {
            return Err("setting `format`: a canal message holds several rows, so it cannot be sent on as it is".into());
        }
        let mut reader = Reader::new(format);
        for entry in config.get("keys").unwrap_or_default().split(';').map(str::trim).filter(|entry| !entry.is_empty())
        {
            let (table, columns) = entry
                .split_once('=')
                .ok_or_else(|| format!("setting `keys`: `{entry}` is not DATABASE.TABLE=COLUMN+COLUMN"))?;
            reader = reader.with_key(table.trim(), columns.split('+').map(str::trim));
        }
        let topic = config.get("topic").unwrap_or("{database}.{table}").to_owned();
        let filter = Filter::new(config)?;
        let reads = Reads::KEYS | Reads::VALUES | Reads::OFFSETS;
        Ok((Self { reader, filter, topic }, Plan::route("tables").and_route("schema").reads(reads)))
    }

    fn transform(&mut self, batch: &Batch, out: &mut Output) -> Result<(), Error> {
        for row in batch.rows() {
            match self.reader.read(&Record { key: row.key(), value: row.value(), offset: row.offset() }) {
                Err(error) => out.reject(row, error.to_string()),
                Ok(changes) => changes.iter().for_each(|change| self.send(change, row, out)),
            }
        }
        Ok(())
    }
}

impl BinlogRouter {
    fn send(&self, change: &Change, row: Row<'_>, out: &mut Output) {
        if !self.filter.keeps(change) {
            return;
        }
        if !change.op.is_row() {
            out.keep(row).route(SCHEMA);
            return;
        }
        // A row that changed its key goes under the old one, where the changes before it are: whoever follows that key
        // has to learn that it ended. Then it goes under the new one.
        let keys = change.key_before().into_iter().chain([change.key.clone()]);
        let ids: Option<Vec<String>> = keys.map(|key| key.id('|')).collect();
        let Some(ids) = ids else {
            return out
                .reject(row, format!("a column of the primary key of {}.{} is null", change.database, change.table));
        };
        let topic = self.topic.replace("{database}", &change.database).replace("{table}", &change.table);
        for id in ids {
            out.keep(row).key(id.as_bytes()).target(&topic);
        }
    }
}

wasmill_sdk::export!(BinlogRouter);
