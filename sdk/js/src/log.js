/** Log lines, and the `console` that modules find. */

import { host } from "./host.js";

/** @type {typeof import("../types/index.js").log} */
export const log = {
  trace: (...parts) => host.log("trace", format(parts)),
  debug: (...parts) => host.log("debug", format(parts)),
  info: (...parts) => host.log("info", format(parts)),
  warn: (...parts) => host.log("warn", format(parts)),
  error: (...parts) => host.log("error", format(parts)),
};

/** `console` as log lines of the host: inside a module there is nothing else to print to. */
export const console = {
  ...log,
  log: log.info,
  /** @param {unknown} condition @param {unknown[]} parts */
  assert: (condition, ...parts) => void (condition || log.error("assertion failed", ...parts)),
};

/** @param {unknown[]} parts */
function format(parts) {
  return parts.map(show).join(" ");
}

/** @param {unknown} part */
function show(part) {
  if (typeof part === "string") return part;
  if (part instanceof Error) return `${part}\n${part.stack ?? ""}`.trimEnd();
  if (part instanceof Uint8Array) return `Uint8Array(${part.length}) [${part.subarray(0, 32).join(", ")}${part.length > 32 ? ", ..." : ""}]`;
  if (typeof part !== "object" || part === null) return String(part);
  try {
    return JSON.stringify(part, (_, value) => (typeof value === "bigint" ? `${value}n` : value)) ?? String(part);
  } catch {
    return String(part);
  }
}
