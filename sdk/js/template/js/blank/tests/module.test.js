import assert from "node:assert/strict";
import { test } from "node:test";

import { run } from "@wasmill/sdk/testing";

import module from "../src/module.js";

test("keeps what has a value", () => {
  const { records } = run(module, [{ value: "a" }, { value: null }]);
  assert.deepEqual(records.map((record) => record.text()), ["a"]);
});
