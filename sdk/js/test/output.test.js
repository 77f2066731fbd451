import assert from "node:assert/strict";
import { test } from "node:test";

import { FatalError, defineModule } from "@wasmill/sdk";
import { run } from "@wasmill/sdk/testing";

/**
 * A module of one function, given a batch.
 * @param {import("@wasmill/sdk").Instance["transform"]} transform
 * @param {import("@wasmill/sdk/testing").TestRecord[]} records
 * @param {Partial<import("@wasmill/sdk").Instance>} [plan]
 */
const does = (transform, records, plan) => run(defineModule({ name: "t", version: "1", init: () => ({ ...plan, transform }) }), records);

const ABC = [{ key: "k", value: "a", timestamp: 1 }, { value: "b", timestamp: 2 }, { value: null, timestamp: 3 }];

test("a filter copies nothing back", () => {
  const done = does((batch, out) => [...batch].filter((row) => row.index !== 1).forEach((row) => out.keep(row)), ABC);
  assert.deepEqual(done.columns, []);
  assert.deepEqual(done.records.map((record) => [record.row, record.text(), record.keyText()]), [[0, "a", "k"], [2, null, null]]);
});

test("all rows are kept at once", () => {
  const done = does((_, out) => out.keepAll(), ABC);
  assert.deepEqual(done.records.map((record) => record.row), [0, 1, 2]);
  assert.deepEqual(does((_, out) => out.keepAll(), []).records, []);
});

test("what is set replaces, and the rest stays the row's own", () => {
  const done = does((batch, out) => {
    out.keep(batch.row(0)).value("x").route("b");
    out.keep(batch.row(1)).key(Uint8Array.of(255)).value(null);
    out.keep(batch.row(1)).target("there").op("create").version(2n ** 64n - 1n);
  }, ABC, { routes: ["a", "b"] });
  assert.deepEqual(done.records.map(({ route, row }) => [route, row]), [["b", 0], ["a", 1], ["a", 1]]);
  assert.deepEqual(done.records.map((record) => record.text()), ["x", null, "b"]);
  assert.deepEqual(done.records.map((record) => record.key && [...record.key]), [[107], [255], null]);
  assert.deepEqual(done.records.map((record) => record.target), [undefined, undefined, "there"]);
  // A tombstone and a kept value get the op that they would have had without one.
  assert.deepEqual(done.records.map((record) => record.op), ["put", "delete", "create"]);
  assert.deepEqual(done.records.map((record) => record.version), [0n, 0n, 2n ** 64n - 1n]);
});

test("texts are encoded together, whatever is in them and between them", () => {
  const texts = ["plain", "", "ä€😀", "\ud83d", "\ude00", "x".repeat(300_000), "ö", null, Uint8Array.of(0, 255), "end"];
  const done = does((batch, out) => {
    for (const row of batch) if (row.index !== 3) out.keep(row).value(texts[row.index]);
      else out.keep(row);
  }, texts.map(() => ({ value: "own" })));
  const expected = texts.map((text, index) => (index === 3 ? Buffer.from("own") : typeof text === "string" ? Buffer.from(text) : text && Buffer.from(text)));
  assert.deepEqual(done.records.map((record) => record.value && Buffer.from(record.value)), expected);
});

test("records may be set in any order, also when later ones are there", () => {
  const done = does((batch, out) => {
    const [first, second] = [out.keep(batch.row(0)), out.keep(batch.row(1))];
    second.value("2");
    first.value("1").json({ one: 1 });
  }, ABC);
  assert.deepEqual(done.records.map((record) => record.text()), ['{"one":1}', "2"]);
});

test("a rejected row takes back what it was kept for", () => {
  const done = does((batch, out) => {
    out.keep(batch.row(0));
    out.keep(batch.row(1)).value("gone").route("b").version(1).header("h", "v");
    out.keep(batch.row(1)).op("merge").target("t").timestamp(9).key("k");
    out.reject(batch.row(1), "because");
    out.reject(batch.row(1), "again");
  }, ABC, { routes: ["a", "b"], reads: [] });
  assert.deepEqual(done.columns, []);
  assert.deepEqual(done.records.map((record) => record.row), [0]);
  assert.deepEqual(done.rejects, [{ row: 1, reason: "because" }]);
});

test("mistakes end the call with words", () => {
  assert.throws(() => does((batch, out) => void (out.keep(batch.row(1)), out.keep(batch.row(0))), ABC), {
    name: "FatalError",
    message: "row 0 was kept after row 1: keep rows in the order of the batch",
  });
  assert.throws(() => does((batch, out) => void (out.reject(batch.row(1), "x"), out.keep(batch.row(1))), ABC), /row 1 was both kept and rejected/);
  assert.throws(() => does((batch, out) => void out.keep(batch.row(0)).route("z"), ABC), /route "z" is not one of init's: out/);
  assert.throws(() => does((batch, out) => void out.keep(batch.row(0)).value(/** @type {any} */ (7)), ABC), /a value is a string, a Uint8Array or null, not Number/);
  assert.throws(() => does((batch, out) => void out.keep(batch.row(0)).json(undefined), ABC), /undefined is nothing that JSON can say/);
  assert.throws(() => does((batch, out) => void out.keep(batch.row(0)).version(-1), ABC), /version -1 is not from 0/);
  assert.throws(() => does((batch, out) => void out.keep(batch.row(0)).op(/** @type {any} */ ("upsert")), ABC), /op "upsert" is not one of put, create, merge, delete/);
  assert.throws(() => does(/** @type {any} */ (async () => {}), ABC), FatalError);
});

test("headers and timestamps of others come along, and are not lost in silence", () => {
  /** @type {import("@wasmill/sdk/testing").TestRecord[]} */
  const records = [{ value: "a", headers: [["x", "1"], ["x", null]], timestamp: 7 }, { value: "b", headers: [["y", ""]], timestamp: -8 }];
  const text = (/** @type {import("@wasmill/sdk/testing").Done} */ done) => done.records.map((record) => record.headers.map(([name, value]) => [name, value && Buffer.from(value).toString()]));
  const added = does((batch, out) => {
    out.keep(batch.row(0));
    out.keep(batch.row(1)).header("z", "ü").timestamp(new Date(5));
    out.keep(batch.row(1)).noHeaders().header("n", null);
  }, records);
  assert.deepEqual(text(added), [[["x", "1"], ["x", null]], [["y", ""], ["z", "ü"]], [["n", null]]]);
  assert.deepEqual(added.records.map((record) => record.timestamp), [7, 5, -8]);
  assert.throws(() => does((batch, out) => void (out.keep(batch.row(0)), out.keep(batch.row(1)).header("z", "")), records, { reads: ["values"] }), /Add "headers" to its reads/);
  assert.throws(() => does((batch, out) => void (out.keep(batch.row(0)), out.keep(batch.row(1)).timestamp(1)), records, { reads: ["values"] }), /Add "timestamps" to its reads/);
  const cleared = does((batch, out) => void [...batch].forEach((row) => out.keep(row).noHeaders().timestamp(1)), records, { reads: [] });
  assert.deepEqual(text(cleared), [[], []]);
});

test("timestamps that are the rows' own do not cross, however large", () => {
  const timestamps = [0, -1, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)];
  /** @param {(row: import("@wasmill/sdk").Row) => number | bigint} change */
  const done = (change) => does((batch, out) => void [...batch].forEach((row) => out.keep(row).timestamp(change(row))), timestamps.map((timestamp) => ({ timestamp })));
  assert.deepEqual(done((row) => row.timestamp).columns, []);
  assert.deepEqual(done((row) => (row.index === 0 ? 2 ** 70 : row.timestamp)).records.map((record) => record.timestamp), [Number(2n ** 63n - 1n), ...timestamps.slice(1).map(Number)]);
  assert.deepEqual(done((row) => 1n - BigInt(row.index)).records.map((record) => record.timestamp), [1, 0, -1, -2, -3]);
  assert.throws(() => done(() => NaN), /timestamp NaN is no time/);
});
