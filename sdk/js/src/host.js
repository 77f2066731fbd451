/**
 * What the host lends a module: log lines, metrics, standard error and an end. The entry of an engine puts the real
 * ones here (`entry.js`); outside a host, in tests, lines go to the console that is there and metrics nowhere.
 */

/** @typedef {"trace" | "debug" | "info" | "warn" | "error"} Level */

/**
 * @typedef {object} Host
 * @property {(level: Level, message: string) => void} log
 * @property {(name: string, by: number | bigint) => void} count
 * @property {(name: string, value: number) => void} observe
 */

const native = globalThis.console;

/** @type {Host} */
export const host = {
  log: (level, message) => native?.error(`${level}: ${message}`),
  count: () => {},
  observe: () => {},
};
