/** Write modules for Wasmill. See `types/index.d.ts` for what each of these promises. */

export { defineModule } from "./define.js";
export { ConfigError, FatalError, RetryError } from "./errors.js";
export { log } from "./log.js";
export { metrics } from "./metrics.js";
