//! A random workload on five tables: inserts, updates, deletes, changed and swapped primary keys, statements that touch
//! many rows, transactions over several tables, some of them rolled back. It knows which keys are taken, so that every
//! statement succeeds and the number of changed rows is known; what the rows hold, only the database knows.

use std::fmt::Write as _;

use e2e::Database;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// Keys of one table. Few, so that each is used again and again.
const KEYS: usize = 900;

/// What a table is like. Every row has a `seq` that is another after every change, or there would be no change.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    columns: &'static str,
    /// Of the primary key.
    key: &'static [&'static str],
    /// The document's id, in SQL.
    id: &'static str,
    /// Members of the document besides `seq`, as the arguments of `JSON_OBJECT`.
    row: &'static str,
    /// Columns that are neither key nor `seq`, with what makes a value of each.
    values: &'static [(&'static str, Kind)],
    make_key: fn(usize) -> String,
}

#[derive(Clone, Copy)]
enum Kind {
    Decimal,
    Text,
    Moment,
    Bytes,
    Small,
}

pub(crate) const TABLES: [Table; 5] = [
    Table {
        name: "accounts",
        columns: "id BIGINT UNSIGNED PRIMARY KEY, balance DECIMAL(16,4), seen DATETIME(6), data VARBINARY(12)",
        key: &["id"],
        id: "CAST(id AS CHAR)",
        row: "'id', id, 'balance', balance, 'seen', seen, 'data', TO_BASE64(data)",
        values: &[("balance", Kind::Decimal), ("seen", Kind::Moment), ("data", Kind::Bytes)],
        // The largest numbers that there are.
        make_key: |n| (u64::MAX - n as u64).to_string(),
    },
    Table {
        name: "parts",
        columns: "whole INT, line INT, note VARCHAR(40), PRIMARY KEY (whole, line)",
        key: &["whole", "line"],
        id: "CONCAT(whole, '|', line)",
        row: "'whole', whole, 'line', line, 'note', note",
        values: &[("note", Kind::Text)],
        make_key: |n| format!("{},{}", n / 30, n % 30),
    },
    Table {
        name: "words",
        columns: "word VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, hits SMALLINT",
        key: &["word"],
        id: "word",
        row: "'word', word, 'hits', hits",
        values: &[("hits", Kind::Small)],
        make_key: |n| format!("'{}{n}'", ["ä😀", "a|b", "c\\\\d", "x\"y", "z "][n % 5]),
    },
    Table {
        name: "follows",
        columns: "user_id INT, followed_id INT, PRIMARY KEY (user_id, followed_id)",
        key: &["user_id", "followed_id"],
        id: "CONCAT(user_id, '|', followed_id)",
        row: "'user_id', user_id, 'followed_id', followed_id",
        values: &[],
        make_key: |n| format!("{},{}", n % 40, n / 40),
    },
    Table {
        name: "flags",
        columns: "id INT PRIMARY KEY, flag TINYINT, reason VARCHAR(40), rate DECIMAL(16,4)",
        key: &["id"],
        id: "CAST(id AS CHAR)",
        row: "'id', id, 'flag', flag, 'reason', reason, 'rate', rate",
        values: &[("flag", Kind::Small), ("reason", Kind::Text), ("rate", Kind::Decimal)],
        make_key: |n| format!("{}", n as i64 - 400),
    },
];

impl Table {
    /// Rows as JSON: `{"id": …, "row": {…}}`.
    pub(crate) fn query(&self) -> String {
        format!(
            "SELECT JSON_OBJECT('id', {}, 'row', JSON_OBJECT({}, 'seq', seq)) FROM {}",
            self.id, self.row, self.name
        )
    }
}

pub(crate) struct Workload {
    chance: StdRng,
    /// Whether a key is taken, by table.
    taken: Vec<Vec<bool>>,
    seq: u64,
    /// Rows that were changed by what was committed.
    pub(crate) changes: u64,
}

impl Workload {
    pub(crate) fn new(database: &Database, seed: u64) -> Self {
        for table in &TABLES {
            database.run(&format!("CREATE TABLE {} ({}, seq BIGINT)", table.name, table.columns));
        }
        let taken = vec![vec![false; KEYS]; TABLES.len()];
        Self { chance: StdRng::seed_from_u64(seed), taken, seq: 0, changes: 0 }
    }

    /// Statements that change at least `count` rows.
    pub(crate) fn statements(&mut self, count: u64) -> String {
        let (mut sql, end) = (String::new(), self.changes + count);
        while self.changes < end {
            let before = (self.taken.clone(), self.changes);
            let rolled_back = self.chance.random_ratio(1, 20);
            sql += "BEGIN;\n";
            for _ in 0..self.chance.random_range(1..=6) {
                self.statement(&mut sql);
            }
            sql += if rolled_back { "ROLLBACK;\n" } else { "COMMIT;\n" };
            if rolled_back {
                (self.taken, self.changes) = before;
            }
        }
        sql
    }

    fn statement(&mut self, sql: &mut String) {
        let at = self.chance.random_range(0..TABLES.len());
        let (table, some) = (&TABLES[at], self.chance.random_range(1..=5));
        let (live, free) = (self.pick(at, true, some), self.pick(at, false, some));
        let said = match (self.chance.random_range(0..10), &live[..], &free[..]) {
            (0..=2, _, [_, ..]) | (_, [], _) => self.insert(table, at, &free),
            (3 | 4, [first, ..], _) => self.update(table, &[*first]),
            (5, live, _) => self.update(table, live),
            (6 | 7, [from, ..], [to, ..]) => self.rename(table, at, *from, *to),
            (8, [one, other, ..], [between, ..]) => [(*one, *between), (*other, *one), (*between, *other)]
                .map(|(from, to)| self.rename(table, at, from, to))
                .concat(),
            (8, live, _) => self.delete(table, at, &live[..1]),
            (_, live, _) => self.delete(table, at, live),
        };
        sql.push_str(&said);
    }

    /// Some keys that are taken, or free.
    fn pick(&mut self, at: usize, taken: bool, count: usize) -> Vec<usize> {
        let all: Vec<usize> = (0..KEYS).filter(|key| self.taken[at][*key] == taken).collect();
        all.choose_multiple(&mut self.chance, count).copied().collect()
    }

    fn insert(&mut self, table: &Table, at: usize, keys: &[usize]) -> String {
        let mut rows = Vec::new();
        for key in keys {
            self.taken[at][*key] = true;
            let values: String = table.values.iter().map(|(_, kind)| self.value(*kind) + ", ").collect();
            rows.push(format!("({}, {values}{})", (table.make_key)(*key), self.next()));
        }
        self.changes += keys.len() as u64;
        let columns: String = table.key.iter().copied().chain(table.values.iter().map(|(name, _)| *name)).fold(
            String::new(),
            |mut columns, name| {
                columns += name;
                columns + ", "
            },
        );
        format!("INSERT INTO {} ({columns}seq) VALUES {};\n", table.name, rows.join(", "))
    }

    fn update(&mut self, table: &Table, keys: &[usize]) -> String {
        self.changes += keys.len() as u64;
        let mut set = format!("seq = {}", self.next());
        for (name, kind) in table.values {
            if self.chance.random() {
                write!(set, ", {name} = {}", self.value(*kind)).expect("room for it");
            }
        }
        format!("UPDATE {} SET {set} WHERE {};\n", table.name, among(table, keys))
    }

    /// The row keeps everything but its primary key.
    fn rename(&mut self, table: &Table, at: usize, from: usize, to: usize) -> String {
        (self.taken[at][from], self.taken[at][to]) = (false, true);
        self.changes += 1;
        let condition = among(table, &[from]);
        let to = (table.make_key)(to);
        let parts = if table.key.len() == 1 { vec![to.as_str()] } else { to.split(',').collect() };
        let set: Vec<String> = table.key.iter().zip(parts).map(|(name, value)| format!("{name} = {value}")).collect();
        format!("UPDATE {} SET {}, seq = {} WHERE {condition};\n", table.name, set.join(", "), self.next())
    }

    fn delete(&mut self, table: &Table, at: usize, keys: &[usize]) -> String {
        keys.iter().for_each(|key| self.taken[at][*key] = false);
        self.changes += keys.len() as u64;
        format!("DELETE FROM {} WHERE {};\n", table.name, among(table, keys))
    }

    fn next(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    fn value(&mut self, kind: Kind) -> String {
        let chance = &mut self.chance;
        if chance.random_ratio(1, 6) {
            return "NULL".into();
        }
        match kind {
            Kind::Decimal => {
                format!("{}.{:04}", chance.random_range(-99_999_999_i64..99_999_999), chance.random_range(0..10_000))
            }
            Kind::Text => {
                let texts = ["''", "'null'", r#"'"quoted" \\ \n new'"#, "'ä😀|'", "'plain'", "'0'"];
                texts[chance.random_range(0..texts.len())].into()
            }
            Kind::Moment if chance.random_ratio(1, 9) => "'0000-00-00 00:00:00'".into(),
            Kind::Moment => format!(
                "'20{:02}-{:02}-{:02} {:02}:59:07.{:06}'",
                chance.random_range(0..99),
                chance.random_range(1..13),
                chance.random_range(1..29),
                chance.random_range(0..24),
                chance.random_range(0..1_000_000)
            ),
            Kind::Bytes => format!("X'{:016x}00ff'", chance.random::<u64>()),
            Kind::Small => chance.random_range(-128..128).to_string(),
        }
    }
}

fn among(table: &Table, keys: &[usize]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("({})", (table.make_key)(*key))).collect();
    format!("({}) IN ({})", table.key.join(", "), keys.join(", "))
}
