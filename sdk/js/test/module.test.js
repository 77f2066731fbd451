import assert from "node:assert/strict";
import { test } from "node:test";

import { ConfigError, FatalError, RetryError, defineModule } from "@wasmill/sdk";
import { start } from "@wasmill/sdk/testing";

import { exported } from "../src/exported.js";

const settings = /** @type {const} */ ({
  word: { summary: "the word", required: true },
  level: { summary: "the level", default: "info" },
  times: { type: "number", default: 2 },
  loud: { type: "boolean", default: false },
  fields: { type: "list", default: ["a", "b"] },
  more: { type: "list" },
  note: {},
});

/** @param {(config: any, given: ReadonlyMap<string, string>) => void} look */
const looks = (look) => defineModule({ name: "m", version: "1.0.0", settings, init: (config, given) => (look(config, given), { transform() {} }) });

test("a description says defaults as a pipeline would", () => {
  assert.deepEqual(start(looks(() => {}), { word: "x" }).describe(), {
    name: "m",
    version: "1.0.0",
    summary: "",
    settings: [
      { name: "word", summary: "the word", default: undefined, required: true },
      { name: "level", summary: "the level", default: "info", required: false },
      { name: "times", summary: "", default: "2", required: false },
      { name: "loud", summary: "", default: "false", required: false },
      { name: "fields", summary: "", default: "a,b", required: false },
      { name: "more", summary: "", default: undefined, required: false },
      { name: "note", summary: "", default: undefined, required: false },
    ],
  });
});

test("settings are read as they are defined", () => {
  /** @type {any[]} */
  const found = [];
  const module = looks((config, given) => found.push({ ...config }, [...given.keys()]));
  start(module, { word: "x" });
  assert.deepEqual(found.splice(0), [{ word: "x", level: "info", times: 2, loud: false, fields: ["a", "b"], more: [] }, ["word"]]);
  start(module, { word: "", level: "", times: "1e3", loud: "true", fields: " , x,y ,", more: "z", note: "n", stray: "s" });
  assert.deepEqual(found, [
    { word: "", level: "", times: 1000, loud: true, fields: ["x", "y"], more: ["z"], note: "n" },
    ["word", "level", "times", "loud", "fields", "more", "note", "stray"],
  ]);
});

test("what cannot be read refuses the release, with the setting's name", () => {
  assert.throws(() => start(looks(() => {})), { message: "setting `word` is required" });
  assert.throws(() => start(looks(() => {}), { word: "x", times: "many" }), { message: 'setting `times`: "many" is not a number' });
  assert.throws(() => start(looks(() => {}), { word: "x", times: "" }), /is not a number/);
  assert.throws(() => start(looks(() => {}), { word: "x", loud: "yes" }), { message: 'setting `loud`: "yes" is neither true nor false' });
});

test("words of init are the refusal; a mistake in it also says where", () => {
  const throwing = (/** @type {unknown} */ error) => looks(() => {
    throw error;
  });
  assert.throws(() => start(throwing(new Error("words")), { word: "" }), { message: "words" });
  assert.throws(() => start(throwing(new ConfigError("words")), { word: "" }), { message: "words" });
  assert.throws(() => start(throwing(new TypeError("mistake")), { word: "" }), /^Error: TypeError: mistake\n    at .*module\.test\.js:\d+:\d+/);
  assert.throws(() => start(throwing(7), { word: "" }), /7 was thrown/);
});

test("plans are looked at", () => {
  const plan = (/** @type {any} */ instance) => start(defineModule({ name: "m", version: "1", init: () => instance })).plan;
  const transform = () => {};
  assert.deepEqual(plan({ transform }), { routes: ["out"], reads: ["keys", "values", "headers", "offsets", "timestamps"] });
  assert.deepEqual(plan({ transform, routes: ["a", "b"], reads: ["offsets"] }), { routes: ["a", "b"], reads: ["offsets"] });
  assert.throws(() => plan(undefined), /transform is missing/);
  assert.throws(() => plan({ transform, routes: [] }), /at least one route/);
  assert.throws(() => plan({ transform, reads: ["value"] }), /reads: "value" is none of keys, values/);
});

test("definitions are looked at when they are made", () => {
  const define = (/** @type {any} */ definition) => () => defineModule({ name: "m", version: "1", init: () => ({ transform() {} }), ...definition });
  assert.throws(define({ name: "" }), /`name` is a text/);
  assert.throws(define({ version: 1 }), /`version` is a text/);
  assert.throws(define({ init: undefined }), /`init` is a function/);
  assert.throws(define({ settings: { a: { type: "int" } } }), /setting `a`: type "int" is none of text, number, boolean, list/);
  assert.throws(define({ settings: { a: { required: true, default: "" } } }), /required, and so needs no default/);
  assert.throws(define({ settings: { a: { default: 7 } } }), /its default is not a text/);
});

test("errors keep their kind, and cross as the contract has them", () => {
  const throwing = (/** @type {unknown} */ error) => defineModule({ name: "m", version: "1", init: () => ({ transform() {
    throw error;
  } }) });
  assert.throws(() => start(throwing(new RetryError("later"))).run([]), (error) => error instanceof RetryError && error.message === "later");
  assert.throws(() => start(throwing(new FatalError("never"))).run([]), (error) => error instanceof FatalError && error.message === "never");
  assert.throws(() => start(throwing(new RangeError("boom"))).run([]), { name: "RangeError", message: "boom" });
  const crash = /** @returns {never} */ () => assert.fail("nothing crashed");
  const { meta, columns } = exported(throwing(new RetryError("later")), crash);
  const empty = { data: new Uint8Array(), ends: [], nulls: [] };
  const batch = { topic: "t", partition: 0, rows: 0, attempt: 0, offsets: [], timestamps: [], keys: empty, values: empty, headers: { rowEnds: [], names: empty, values: empty } };
  assert.throws(() => columns.transform(batch), { payload: { tag: "fatal", val: "transform was called before init" } });
  meta.init([]);
  assert.throws(() => columns.transform(batch), { payload: { tag: "retry", val: "later" } });
});
