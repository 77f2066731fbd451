/** Settings: what a definition says of them, and what a pipeline's text becomes. */

import { ConfigError } from "./errors.js";

/**
 * @typedef {import("../types/index.js").Setting} Setting
 * @typedef {{ readonly [name: string]: Setting }} Settings
 */

/**
 * As `describe` answers them.
 * @param {Settings} settings
 */
export function described(settings) {
  return Object.entries(settings).map(([name, { summary = "", default: value, required = false }]) => ({
    name,
    summary,
    default: value === undefined ? undefined : Array.isArray(value) ? value.join(",") : String(value),
    required,
  }));
}

/**
 * The config that `init` is given.
 * @param {Settings} settings
 * @param {ReadonlyMap<string, string>} given
 */
export function configured(settings, given) {
  /** @type {Record<string, unknown>} */
  const config = {};
  for (const [name, setting] of Object.entries(settings)) {
    const text = given.get(name);
    if (text !== undefined) config[name] = parse(name, setting.type ?? "text", text);
    else if (setting.default !== undefined) config[name] = setting.default;
    else if (setting.required) throw new ConfigError(`setting \`${name}\` is required`);
    else if (setting.type === "list") config[name] = [];
  }
  return config;
}

/**
 * @param {string} name
 * @param {NonNullable<Setting["type"]>} type
 * @param {string} text
 */
function parse(name, type, text) {
  switch (type) {
    case "text":
      return text;
    case "number": {
      const number = Number(text);
      if (text.trim() === "" || Number.isNaN(number)) throw new ConfigError(`setting \`${name}\`: ${JSON.stringify(text)} is not a number`);
      return number;
    }
    case "boolean":
      if (text !== "true" && text !== "false") throw new ConfigError(`setting \`${name}\`: ${JSON.stringify(text)} is neither true nor false`);
      return text === "true";
    case "list":
      return text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== "");
  }
}
