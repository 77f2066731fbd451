/** The module as a component: `tool/bundle.js` makes the entry that calls this. Works in both engines. */

import { count, observe } from "wasmill:transform/metrics@0.1.0";
import { exit } from "wasi:cli/exit@0.2.6";
import { getStderr } from "wasi:cli/stderr@0.2.6";
import { write } from "wasmill:transform/log@0.1.0";

import { exported } from "../src/exported.js";
import { host } from "../src/host.js";
import { utf8 } from "../src/text.js";

/** QuickJS has 64-bit numbers as numbers; StarlingMonkey as bigints. */
const whole = "__cqjs" in globalThis ? Number : BigInt;

host.log = write;
host.count = (name, by) => count(name, /** @type {any} */ (whole(by)));
host.observe = observe;

/**
 * Ends the call with last words: the host says them with the trap, finds the row that causes it and goes on with the others.
 * @param {string} words
 * @returns {never}
 */
function crash(words) {
  const stderr = getStderr();
  const bytes = utf8.encode(`${words}\n`);
  // The most that WASI takes at a time.
  for (let at = 0; at < bytes.length; at += 4096) stderr.blockingWriteAndFlush(bytes.slice(at, at + 4096));
  exit({ tag: "err", val: undefined });
  throw new Error("unreachable");
}

/** @param {import("../types/index.js").ModuleDefinition<any>} definition */
export function component(definition) {
  return exported(definition, crash);
}
