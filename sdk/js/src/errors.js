/**
 * What a module throws on purpose. Everything else that is thrown is a trap: see `trace.js`.
 */

/** @type {typeof import("../types/index.js").RetryError} */
export const RetryError = class RetryError extends Error {
  name = "RetryError";
};

/** @type {typeof import("../types/index.js").FatalError} */
export const FatalError = class FatalError extends Error {
  name = "FatalError";
};

/** @type {typeof import("../types/index.js").ConfigError} */
export const ConfigError = class ConfigError extends Error {
  name = "ConfigError";
};
