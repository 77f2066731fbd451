/** One file of everything that a module needs, and the source map that its exceptions are explained with. */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Usage, load } from "./project.js";

const SDK = dirname(dirname(fileURLToPath(import.meta.url)));

/** What the host provides: imports that stay imports. */
const HOST = ["wasmill:*", "wasi:*"];

/**
 * @param {{ root: string, entry: string }} project
 * @returns {Promise<{ source: string, map: import("../src/trace.js").SourceMap }>}
 */
export async function bundle({ root, entry }) {
  const esbuild = await load(root, "esbuild");
  const path = (/** @type {string} */ file) => JSON.stringify(file.replaceAll("\\", "/"));
  const contents = `
    import ${path(join(SDK, "guest/globals.js"))};
    import { component } from ${path(join(SDK, "guest/component.js"))};
    import definition from ${path(join(root, entry))};
    export const { meta, columns } = component(definition);
  `;
  let built;
  try {
    built = await esbuild.build({
      stdin: { contents, resolveDir: root, sourcefile: "wasmill-entry.js" },
      absWorkingDir: root,
      bundle: true,
      format: "esm",
      target: "es2023",
      platform: "neutral",
      mainFields: ["module", "main"],
      conditions: ["module", "import"],
      external: HOST,
      outfile: join(root, "module.js"),
      sourcemap: "external",
      sourcesContent: false,
      // What stays are names, which stacks are read by.
      minifyWhitespace: true,
      legalComments: "none",
      write: false,
      logLevel: "silent",
    });
  } catch (error) {
    const errors = /** @type {{ errors?: import("esbuild").Message[] }} */ (error).errors;
    if (errors === undefined) throw error;
    throw new Usage((await esbuild.formatMessages(errors, { kind: "error", color: process.stderr.isTTY })).join("").trimEnd());
  }
  const file = (/** @type {string} */ end) => built.outputFiles.find((/** @type {{ path: string }} */ output) => output.path.endsWith(end)).text;
  const { sources, mappings } = JSON.parse(file(".map"));
  const map = { sources, mappings };
  return { source: `${file(".js")}\nglobalThis.__wasmillSources = ${JSON.stringify(map)};\n`, map };
}
