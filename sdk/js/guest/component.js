/** The module as a component: `tool/bundle.js` makes the entry that calls this. Works in both engines. */

import { count, observe } from "wasmill:transform/metrics@0.1.0";
import { exit } from "wasi:cli/exit@0.2.6";
import { write } from "wasmill:transform/log@0.1.0";

import { exported } from "../src/exported.js";
import { host } from "../src/host.js";

/** QuickJS has 64-bit numbers as numbers; StarlingMonkey as bigints. */
const whole = "__cqjs" in globalThis ? Number : BigInt;

host.log = write;
host.count = (name, by) => count(name, /** @type {any} */ (whole(by)));
host.observe = observe;

/**
 * Ends the call with last words: an error's line is what the host says of the trap. It finds the row that causes it and goes
 * on with the others.
 * @param {string} words
 * @returns {never}
 */
function crash(words) {
  write("error", words);
  exit({ tag: "err", val: undefined });
  throw new Error("unreachable");
}

/** @param {import("../types/index.js").ModuleDefinition<any>} definition */
export function component(definition) {
  return exported(definition, crash);
}
