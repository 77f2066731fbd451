//! Row changes of a database, whoever wrote them to Kafka: Maxwell, canal (flat messages) and Debezium become one
//! type, [`Change`].
//!
//! ```
//! use wasmill_cdc::{Format, Op, Reader, Record};
//!
//! let reader = Reader::new(Format::Maxwell).with_key("shop.orders", ["id"]);
//! let value = br#"{"database":"shop","table":"orders","type":"update","ts":1449786341,"position":"mysql-bin.000006:800911",
//!                  "data":{"id":18446744073709551615,"price":9.90},"old":{"price":10.00}}"#;
//! let changes = reader.read(&Record { key: None, value: Some(value), offset: 7 }).unwrap();
//! assert_eq!(changes[0].op, Op::Update);
//! assert_eq!(changes[0].row.raw("id"), Some("18446744073709551615"));
//! assert_eq!(changes[0].before.as_ref().unwrap().raw("price"), Some("10.00"));
//! ```
//!
//! # Values
//! A value is the text of a JSON value, and is copied, never computed with: unsigned 64-bit numbers, decimals with
//! their trailing zeros, zero dates and emoji leave as they came. The three formats write some types differently;
//! Maxwell's way is taken:
//!
//! | column | here | made of |
//! |---|---|---|
//! | numbers, decimals | number | canal: text; Debezium: base64 of the unscaled value |
//! | date, datetime, timestamp, time | text, as MySQL writes it | Debezium: days, milli-, micro- or nanoseconds |
//! | binary, blob | text in base64 | canal: text in ISO 8859-1 |
//! | bit | number, or true and false | Debezium: base64, little-endian |
//! | set | array of texts | canal, Debezium: text with commas |
//! | json | the document | canal, Debezium: text |
//!
//! What a format lost before it wrote is lost: Debezium writes zero dates as null (or as 1970 in columns that are not
//! null), and a Debezium record without its schema part leaves decimals and times as they are.
//!
//! # Versions
//! [`Change::version`] grows with each change of one key, for sinks that keep the newest. It is even and below 2^63,
//! as Elasticsearch's external versions have to be; `version + 1` is free for the caller. See [`version`].
//!
//! # Sources of the formats
//! Maxwell: <https://maxwells-daemon.io/dataformat/>; canal: `FlatMessage.java` of <https://github.com/alibaba/canal>;
//! Debezium: <https://debezium.io/documentation/reference/stable/connectors/mysql.html>, "Data change events".
#![deny(missing_docs)]

mod canal;
mod change;
mod debezium;
mod decimal;
mod error;
mod maxwell;
mod reader;
mod row;
mod time;
pub mod version;

pub use change::{Change, Op};
pub use error::Error;
pub use reader::{Format, Reader, Record};
pub use row::Row;
