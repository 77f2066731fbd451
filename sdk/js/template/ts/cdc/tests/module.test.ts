import assert from "node:assert/strict";
import { test } from "node:test";

import { run } from "@wasmill/sdk/testing";

import module from "../src/module";

test("a row that is gone is a deletion", () => {
  const change = { database: "d", table: "t", type: "delete", ts: 1, data: { id: 7 } };
  const { records } = run(module, [{ value: change }], { table: "d.t" });
  assert.deepEqual(records.map((record) => [record.keyText(), record.value, record.op]), [["7", null, "delete"]]);
});
