/** Between an author's definition and the contract: the functions that a component exports. */

import { Batch } from "./batch.js";
import { configured, described } from "./config.js";
import { ConfigError, FatalError, RetryError } from "./errors.js";
import { Output } from "./output.js";
import { explain } from "./trace.js";

/**
 * @typedef {import("../types/index.js").ModuleDefinition<any>} Definition
 * @typedef {import("../types/index.js").Instance} Instance
 * @typedef {import("./batch.js").RawBatch} RawBatch
 */

const READS = /** @type {const} */ (["keys", "values", "headers", "offsets", "timestamps"]);

/**
 * Errors cross as both engines want them: thrown, with what they carry as `payload`.
 * @param {unknown} payload
 */
function answer(payload) {
  return Object.assign(new Error("an answer of the module"), { payload });
}

/**
 * @param {Definition} definition
 * @param {(words: string, thrown: unknown) => never} crash what becomes of an exception that nothing caught
 */
export function exported(definition, crash) {
  /** @type {Instance | undefined} */
  let instance;
  /** @type {readonly string[]} */
  let routes = [];
  return {
    meta: {
      describe: () => ({
        name: definition.name,
        version: definition.version,
        summary: definition.summary ?? "",
        settings: described(definition.settings ?? {}),
      }),

      /** @param {[string, string][]} pairs */
      init(pairs) {
        const given = new Map(pairs);
        try {
          instance = definition.init(/** @type {any} */ (configured(definition.settings ?? {}, given)), given);
          const plan = planned(instance);
          routes = plan.routes;
          return plan;
        } catch (thrown) {
          throw answer(refusal(thrown));
        }
      },
    },
    columns: {
      /** @param {RawBatch} raw */
      transform(raw) {
        if (instance === undefined) throw answer({ tag: "fatal", val: "transform was called before init" });
        try {
          const out = new Output(raw, routes);
          const promise = /** @type {unknown} */ (instance.transform(/** @type {any} */ (new Batch(raw)), /** @type {any} */ (out)));
          if (promise !== undefined && typeof (/** @type {any} */ (promise)?.then) === "function") {
            throw new FatalError("transform answered a promise: it is not to be async, there is nothing to wait for in a module");
          }
          return out.finish();
        } catch (thrown) {
          if (thrown instanceof RetryError) throw answer({ tag: "retry", val: thrown.message });
          if (thrown instanceof FatalError) throw answer({ tag: "fatal", val: thrown.message });
          return crash(explain(thrown), thrown);
        }
      },
    },
  };
}

/**
 * The words that a release is refused with. What is thrown on purpose has said all; a mistake also says where it is.
 * @param {unknown} thrown
 */
function refusal(thrown) {
  const onPurpose = thrown instanceof ConfigError || (thrown instanceof Error && thrown.constructor === Error);
  return onPurpose ? thrown.message : explain(thrown);
}

/** @param {Instance} instance */
function planned(instance) {
  const { routes = ["out"], reads = READS, transform } = instance ?? {};
  if (typeof transform !== "function") throw new TypeError("init is to answer { routes, reads, transform }: transform is missing");
  if (routes.length === 0) throw new TypeError("init is to answer at least one route");
  const unknown = reads.find((column) => !READS.includes(column));
  if (unknown !== undefined) throw new TypeError(`reads: ${JSON.stringify(unknown)} is none of ${READS.join(", ")}`);
  const flags = Object.fromEntries(READS.map((column) => [column, reads.includes(column)]));
  return { routes: [...routes], reads: flags };
}
