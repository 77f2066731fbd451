import assert from "node:assert/strict";
import { test } from "node:test";

import { bare, native } from "../src/text.js";
import { Decoder, Encoder, isAscii } from "../src/utf8.js";

const TEXTS = ["", "ascii", "100 % grün", "日本語", "a😀b", "\ufeffbom", "\ufffd", "\ud83d", "\ude00\ud83d", "x\ud800"];

/** Bytes that are no UTF-8, each in its own way, and with ASCII around. */
const BAD = [[0xff], [0xc0, 0x80], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xf5, 0x80, 0x80, 0x80], [0x80], [0xe0, 0x80, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3, 0xa4, 0xc3]];

/**
 * As a column reads its values.
 * @param {ReturnType<typeof bare>} engine
 * @param {Uint8Array} data
 */
function slices(engine, data) {
  const { plain, whole } = engine.column(data);
  return (/** @type {number} */ begin, /** @type {number} */ end) => (plain ? whole.slice(begin, end) : engine.decode(data.subarray(begin, end)));
}

test("the encoder for QuickJS agrees with the standard's", () => {
  for (const text of TEXTS) assert.deepEqual([...new Encoder().encode(text)], [...new TextEncoder().encode(text)], JSON.stringify(text));
  const [ours, theirs] = [new Uint8Array(5), new Uint8Array(5)];
  assert.deepEqual(new Encoder().encodeInto("aä😀b", ours), new TextEncoder().encodeInto("aä😀b", theirs));
  assert.deepEqual(ours, theirs);
});

test("the decoder for QuickJS agrees with the standard's", () => {
  const good = TEXTS.filter((text) => text.isWellFormed?.() ?? !/[\ud800-\udfff]/.test(text)).map((text) => new TextEncoder().encode(text));
  const bad = BAD.flatMap((bytes) => [bytes, [0x61, ...bytes, 0x62], [...bytes, 0xc3, 0xa4]]).map((bytes) => Uint8Array.from(bytes));
  for (const bytes of [...good, ...bad]) {
    for (const options of [{}, { ignoreBOM: true }]) {
      assert.equal(new Decoder("utf-8", options).decode(bytes), new TextDecoder("utf-8", options).decode(bytes), String(bytes));
    }
  }
  for (const bytes of bad) assert.throws(() => new Decoder("utf8", { fatal: true }).decode(bytes), TypeError, String(bytes));
  assert.throws(() => new Decoder("latin1"), /there is utf-8 alone/);
  assert.equal(new Decoder().decode(new TextEncoder().encode("ab").buffer), "ab");
});

test("both engines read the same slices of a column", () => {
  for (const texts of [["plain", "", "text"], ["plain", "grün", "", "日本語"]]) {
    const data = new TextEncoder().encode(texts.join(""));
    // A view that does not begin where words do.
    const shifted = new Uint8Array(data.length + 1).subarray(1);
    shifted.set(data);
    for (const bytes of [data, shifted]) {
      const [ours, theirs] = [slices(bare(), bytes), slices(native(), bytes)];
      let begin = 0;
      for (const text of texts) {
        const end = begin + new TextEncoder().encode(text).length;
        assert.equal(ours(begin, end), text);
        assert.equal(theirs(begin, end), text);
        begin = end;
      }
    }
  }
});

test("one high bit is found, wherever it is", () => {
  for (let shift = 0; shift < 5; shift++) {
    for (let at = 0; at < 80; at++) {
      const bytes = new Uint8Array(85).subarray(shift, shift + 80);
      assert.ok(isAscii(bytes));
      bytes[at] = 0x80;
      assert.ok(!isAscii(bytes), `byte ${at} at ${shift}`);
    }
  }
  assert.ok(isAscii(new Uint8Array(7).subarray(5)));
});

test("neither reads what is no UTF-8", () => {
  for (const bytes of BAD) {
    const column = Uint8Array.from([0x61, ...bytes, 0x62]);
    for (const engine of [bare(), native()]) {
      const text = slices(engine, column);
      assert.equal(text(0, 1), "a");
      assert.throws(() => text(1, column.length - 1), String(bytes));
    }
  }
});
