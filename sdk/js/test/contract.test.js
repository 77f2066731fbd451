import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const file = (/** @type {string} */ path) => readFileSync(new URL(path, import.meta.url), "utf8");

test("the contract that modules are built against is the host's", () => {
  assert.equal(file("../wit/deps/transform/transform.wit"), file("../../../wit/transform.wit"));
});

test("a project gets the versions that the SDK is made for", () => {
  const { peerDependencies, devDependencies } = JSON.parse(file("../package.json"));
  const pinned = (/** @type {string} */ path) => JSON.parse(file(path)).devDependencies;
  const [js, ts] = ["js", "ts"].map((language) => pinned(`../template/${language}/common/package.json.tmpl`));
  const guests = ["js", "ts"].map((language) => pinned(`../../../tests/conformance/guests/${language}/package.json`));
  for (const packages of [js, ts, ...guests]) {
    assert.equal(packages["componentize-qjs"] ?? peerDependencies["componentize-qjs"], peerDependencies["componentize-qjs"]);
    assert.equal(packages.esbuild, js.esbuild);
  }
  assert.equal(guests[1]["@bytecodealliance/componentize-js"], peerDependencies["@bytecodealliance/componentize-js"]);
  assert.equal(ts.typescript, devDependencies.typescript);
  assert.ok(file("../../../docs/languages/javascript.md").includes(`@bytecodealliance/componentize-js@${peerDependencies["@bytecodealliance/componentize-js"]}`));
});
