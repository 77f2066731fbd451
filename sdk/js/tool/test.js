/** A project's unit tests: bundled, so that TypeScript runs on every Node, and given to Node's own test runner. */

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { Usage, load } from "./project.js";

/** @param {{ root: string }} project */
export async function test({ root }) {
  const folder = join(root, "tests");
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => /\.test\.[tj]s$/.test(file)) : [];
  if (files.length === 0) throw new Usage("no test is there: write tests/NAME.test.js or tests/NAME.test.ts");
  const esbuild = await load(root, "esbuild");
  // Within the project, so that its packages are found.
  const out = join(root, "node_modules", ".wasmill-test");
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  try {
    await esbuild.build({
      entryPoints: files.map((file) => join(folder, file)),
      absWorkingDir: root,
      bundle: true,
      format: "esm",
      platform: "node",
      packages: "external",
      outdir: out,
      outExtension: { ".js": ".mjs" },
      sourcemap: "inline",
      logLevel: "error",
    });
    const bundles = files.map((file) => join(out, file.replace(/[tj]s$/, "mjs")));
    return spawnSync(process.execPath, ["--enable-source-maps", "--test", ...bundles], { stdio: "inherit", cwd: root }).status ?? 1;
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}
