import assert from "node:assert/strict";
import { test } from "node:test";

import { defineModule } from "@wasmill/sdk";
import { run, start } from "@wasmill/sdk/testing";

/**
 * What a function sees of a batch.
 * @template T
 * @param {(batch: import("@wasmill/sdk").Batch) => T} look
 * @param {import("@wasmill/sdk/testing").TestRecord[]} records
 * @param {import("@wasmill/sdk").Reads[]} [reads]
 * @returns {T}
 */
function seen(look, records, reads) {
  /** @type {any} */
  let found;
  run(defineModule({ name: "t", version: "1", init: () => ({ reads, transform: (batch) => void (found = look(batch)) }) }), records);
  return found;
}

test("null, empty and absent are told apart", () => {
  const values = seen((batch) => [...batch].map((row) => [row.key && row.key.length, row.value && row.value.length, row.text(), row.json === undefined]), [
    { key: "", value: null },
    { key: null, value: "" },
    { key: "kk", value: "vvv" },
  ]);
  assert.deepEqual(values, [[0, null, null, false], [null, 0, "", false], [2, 3, "vvv", false]]);
});

test("values are views of the column, not copies", () => {
  const [one, two] = seen((batch) => [...batch].map((row) => row.value), [{ value: "ab" }, { value: "cd" }]);
  assert.equal(one?.buffer, two?.buffer);
  assert.equal(two?.byteOffset, 2);
});

test("text of any plane, and of none", () => {
  const values = ["ascii", "grün", "日本語", "😀", "\ufeffbom", "a\0b", "\ufffd"];
  assert.deepEqual(seen((batch) => [...batch].map((row) => row.text()), values.map((value) => ({ value }))), values);
  const bad = seen((batch) => [...batch].map((row) => {
    try {
      return row.text();
    } catch (error) {
      return String(error);
    }
  }), [{ value: "ok" }, { value: Uint8Array.of(0xff) }, { value: Uint8Array.of(0xed, 0xa0, 0x80) }, { value: "ä" }]);
  assert.deepEqual(bad, ["ok", "TypeError: not UTF-8", "TypeError: not UTF-8", "ä"]);
});

test("a byte that is no UTF-8 between ASCII does not pass as a character", () => {
  assert.throws(() => seen((batch) => batch.row(0).text(), [{ value: Uint8Array.of(0x61, 0xff, 0x62) }]), /not UTF-8/);
});

test("JSON, offsets, timestamps and headers", () => {
  const [one, two] = seen((batch) => [...batch].map((row) => ({ json: row.json(), offset: row.offset, timestamp: row.timestamp, headers: row.headers.map((header) => [header.name, header.text()]), x: row.header("x"), none: row.header("none") })), [
    { value: { a: [1] }, offset: 2n ** 53n + 1n, timestamp: -5, headers: [["x", "1"], ["ü", null], ["x", "2"]] },
    { value: null },
  ]);
  assert.deepEqual({ ...one, x: one.x && [...one.x] }, { json: { a: [1] }, offset: 2n ** 53n + 1n, timestamp: -5, headers: [["x", "1"], ["ü", null], ["x", "2"]], x: [50], none: undefined });
  assert.deepEqual(two, { json: null, offset: 1n, timestamp: 0, headers: [], x: undefined, none: undefined });
  assert.throws(() => seen((batch) => batch.row(0).json(), [{ value: "{" }]), SyntaxError);
});

test("columns that are not read are empty", () => {
  const row = seen((batch) => [...batch].map((row) => [row.key, row.value, row.offset, row.timestamp, row.headers.length]), [{ key: "k", value: "v", offset: 9, timestamp: 8, headers: [["a", "b"]] }], []);
  assert.deepEqual(row, [[null, null, 0n, 0, 0]]);
});

test("rows by number, and none beyond", () => {
  assert.equal(seen((batch) => batch.row(1).text(), [{ value: "a" }, { value: "b" }]), "b");
  assert.throws(() => seen((batch) => batch.row(1), [{ value: "a" }]), /row 1 of a batch of 1/);
});

test("an instance keeps its state, another one has its own", () => {
  const counter = defineModule({
    name: "counter",
    version: "1",
    init() {
      let seen = 0;
      return {
        transform(batch, out) {
          for (const row of batch) out.keep(row).value(`${batch.topic}/${batch.partition}/${batch.attempt}: ${++seen}`);
        },
      };
    },
  });
  const one = start(counter);
  assert.equal(one.run([{}]).records[0].text(), "test/0/0: 1");
  assert.equal(one.run([{}], { topic: "t", partition: 2, attempt: 3 }).records[0].text(), "t/2/3: 2");
  assert.equal(start(counter).run([{}]).records[0].text(), "test/0/0: 1");
});
