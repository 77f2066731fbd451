/** Types of the project, as `tsc` sees them: a project without a `tsconfig.json` has none. */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { Usage, installed } from "./project.js";

/** @param {string} root */
export function check(root) {
  if (!existsSync(join(root, "tsconfig.json"))) return;
  const tsc = join(installed(root, "typescript"), "bin", "tsc");
  const done = spawnSync(process.execPath, [tsc, "--noEmit", "--project", root, "--pretty", String(process.stderr.isTTY ?? false)], { cwd: root, encoding: "utf8" });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Usage(`${(done.stdout + done.stderr).trimEnd()}\ntypes do not fit: nothing was built`);
}
