import assert from "node:assert/strict";
import { test } from "node:test";

import { run } from "@wasmill/sdk/testing";

import module from "../src/module";

test("sends records where their field says", () => {
  const { records } = run(module, [{ value: { kind: "b" } }, { value: { kind: "z" } }], { field: "kind", routes: "a,b" });
  assert.deepEqual(records.map((record) => record.route), ["b", "other"]);
});
