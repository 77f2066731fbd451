import assert from "node:assert/strict";
import { test } from "node:test";

import { run } from "@wasmill/sdk/testing";

import module from "../src/module";

test("takes out what it is told to", () => {
  const lines = [{ value: { level: "info", token: "x" } }, { value: { level: "trace" } }];
  const { records } = run(module, lines, { drop: "trace", remove: "token" });
  assert.deepEqual(records.map((record) => record.json()), [{ level: "info" }]);
});
