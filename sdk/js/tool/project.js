/** A project: where its module begins, and what its `package.json` says of the build. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** Where a module begins, where `package.json` does not say it. */
const ENTRIES = ["src/module.ts", "src/module.js"];

/** Something that the author can put right: said without a stack. */
export class Usage extends Error {}

/** @param {string} folder */
export function project(folder) {
  const root = resolve(folder);
  const manifest = join(root, "package.json");
  if (!existsSync(manifest)) throw new Usage(`${folder}: no project is there (no package.json)`);
  let about;
  try {
    about = JSON.parse(readFileSync(manifest, "utf8"));
  } catch (error) {
    throw new Usage(`${manifest}: ${/** @type {Error} */ (error).message}`);
  }
  const { engine = "quickjs", entry = ENTRIES.find((entry) => existsSync(join(root, entry))), ...unknown } = about.wasmill ?? {};
  const stray = Object.keys(unknown)[0];
  if (stray !== undefined) throw new Usage(`package.json: "wasmill" has no "${stray}": it knows "engine" and "entry"`);
  if (entry === undefined || !existsSync(join(root, entry))) {
    throw new Usage(entry === undefined ? `no module is there: write ${ENTRIES.join(" or ")}, or say "wasmill": { "entry": "FILE" } in package.json` : `package.json: "wasmill"."entry": ${entry} is not there`);
  }
  return { root, name: String(about.name ?? "module").replace(/^@[^/]*\//, ""), engine, entry };
}

/**
 * The folder of a package that a project has installed, as Node would find it.
 * @param {string} root
 * @param {string} name
 */
export function installed(root, name) {
  for (let folder = root; ; folder = dirname(folder)) {
    const found = join(folder, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return found;
    if (folder === dirname(folder)) break;
  }
  throw new Usage(`${name} is not installed here: \`npm install\`, or \`npm install --save-dev ${name}\` where package.json does not name it`);
}

/**
 * A package of the project, not of the SDK: which version is the project's to choose. `require.resolve` does not find
 * packages that are modules alone.
 * @param {string} root
 * @param {string} name
 */
export async function load(root, name) {
  const folder = installed(root, name);
  const { exports, main = "index.js" } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const entry = exports?.["."] ?? exports ?? main;
  return import(pathToFileURL(join(folder, typeof entry === "string" ? entry : (entry.import ?? entry.default))).href);
}
