/** From a bundle to a component: one function for each engine. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Places } from "../src/trace.js";
import { Usage, load } from "./project.js";

const WIT = join(dirname(dirname(fileURLToPath(import.meta.url))), "wit");
const WORLD = "module";

/** @type {Record<string, (root: string, source: string) => Promise<Uint8Array>>} */
const ENGINES = {
  async quickjs(root, source) {
    const { componentize } = await load(root, "componentize-qjs");
    return (await componentize({ witPath: WIT, world: WORLD, jsSource: source, sync: true })).component;
  },

  async starlingmonkey(root, source) {
    const { componentize } = await load(root, "@bytecodealliance/componentize-js");
    const folder = await mkdtemp(join(tmpdir(), "wasmill-"));
    try {
      const sourcePath = join(folder, "module.js");
      await writeFile(sourcePath, source);
      // What a module may not do is not built in: a refusal at the upload would come too late.
      return (await componentize({ sourcePath, witPath: WIT, worldName: WORLD, disableFeatures: ["http", "fetch-event"] })).component;
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

/** A place in the bundle, as either engine says it. */
const PLACE = /(?:componentize-qjs:user\.js|\bmodule\.js):(\d+):(\d+)/g;

/**
 * @param {{ root: string, engine: string }} project
 * @param {Awaited<ReturnType<typeof import("./bundle.js").bundle>>} bundle
 */
export async function componentize({ root, engine }, { source, map }) {
  if (!Object.hasOwn(ENGINES, engine)) throw new Usage(`package.json: "wasmill"."engine" is ${Object.keys(ENGINES).join(" or ")}, not ${JSON.stringify(engine)}`);
  try {
    return await ENGINES[engine](root, source);
  } catch (error) {
    if (error instanceof Usage || !(error instanceof Error)) throw error;
    // What stands at the top level runs now: most often it is that which throws.
    const places = new Places(map);
    const words = error.message.replace(PLACE, (said, line, column) => {
      const place = places.find(Number(line), Number(column));
      return place ? `${place.file}:${place.line}:${place.column}` : said;
    });
    throw new Usage(`${engine} did not take the module: ${words.replace(/^[:\s]+/, "").trimEnd()}`);
  }
}
