#!/usr/bin/env node
/**
 * `wasmill-js build [FOLDER] [--out FILE] [--no-check]`: types are checked, sources bundled, and a component made.
 * `wasmill-js test [FOLDER]`: runs `tests/*.test.{ts,js}` with Node's own test runner.
 *
 * Exit codes: 0 done, 1 failed, 2 something that the author can put right.
 */

import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { bundle } from "./bundle.js";
import { check } from "./check.js";
import { componentize } from "./engines.js";
import { Usage, project } from "./project.js";
import { test } from "./test.js";

const USAGE = "usage: wasmill-js build [FOLDER] [--out FILE] [--no-check] | wasmill-js test [FOLDER]";

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { out: { type: "string" }, "no-check": { type: "boolean", default: false } },
  });
  const [verb, folder = ".", ...more] = positionals;
  if (more.length > 0) throw new Usage(USAGE);
  switch (verb) {
    case "build": {
      const about = project(folder);
      if (!values["no-check"]) check(about.root);
      const component = await componentize(about, await bundle(about));
      const file = values.out === undefined ? join(about.root, `${about.name}.wasm`) : resolve(values.out);
      await writeFile(file, component);
      return 0;
    }
    case "test":
      return test(project(folder));
    default:
      throw new Usage(USAGE);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof Usage || /** @type {NodeJS.ErrnoException} */ (error).code?.startsWith("ERR_PARSE_ARGS")) {
    console.error(/** @type {Error} */ (error).message);
    process.exitCode = 2;
  } else {
    console.error(error);
    process.exitCode = 1;
  }
}
