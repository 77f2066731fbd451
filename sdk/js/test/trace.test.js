import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { explain } from "../src/trace.js";

const sources = /** @type {any} */ (globalThis);

afterEach(() => {
  delete sources.__wasmillSources;
});

/** @param {string} stack */
const thrown = (stack) => Object.assign(new Error("boom"), { stack });

test("without a map the engine's places are said, in either engine's manner", () => {
  assert.equal(explain(thrown("    at inner (user.js:3:5)\n    at user.js:9:1\n    at native\n")), "Error: boom\n    at inner (user.js:3:5)\n    at <anonymous> (user.js:9:1)");
  assert.equal(explain(thrown("outer/inner@user.js:3:5\ninit/<@user.js:9:1\n@user.js:10:1\n")), "Error: boom\n    at inner (user.js:3:5)\n    at init (user.js:9:1)\n    at <anonymous> (user.js:10:1)");
});

test("with a map the author's places are said, and the SDK's own are not", () => {
  // Line 1: column 1 is src/a.ts 1:1, column 11 is src/a.ts 3:5. Line 2: wasmill-sdk/src/exported.js 6:1.
  sources.__wasmillSources = { sources: ["src/a.ts", "wasmill-sdk/src/exported.js"], mappings: "AAAA,UAEI;ACGJ" };
  const stack = "    at one (componentize-qjs:user.js:1:4)\n    at two (componentize-qjs:user.js:1:30)\n    at transform (componentize-qjs:user.js:2:9)\n    at engine (initializer.js:400:2)\n";
  assert.equal(explain(thrown(stack)), "Error: boom\n    at one (src/a.ts:1:1)\n    at two (src/a.ts:3:5)");
});

test("causes, and what is no error, are said", () => {
  const error = new TypeError("outer", { cause: Object.assign(new Error("inner"), { stack: "" }) });
  error.stack = "";
  assert.equal(explain(error), "TypeError: outer\ncaused by Error: inner");
  assert.equal(explain("text"), "text was thrown, which is no Error and has no stack");
  assert.equal(explain({ a: 1 }), '{"a":1} was thrown, which is no Error and has no stack');
  assert.equal(explain(undefined), "undefined was thrown, which is no Error and has no stack");
});
