/** From a bundle to a component: one function for each engine. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

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

/**
 * @param {{ root: string, engine: string }} project
 * @param {string} source
 */
export async function componentize({ root, engine }, source) {
  if (!Object.hasOwn(ENGINES, engine)) throw new Usage(`package.json: "wasmill"."engine" is ${Object.keys(ENGINES).join(" or ")}, not ${JSON.stringify(engine)}`);
  return ENGINES[engine](root, source);
}
