/** A module's own metrics. */

import { host } from "./host.js";

/** @type {typeof import("../types/index.js").metrics} */
export const metrics = {
  count: (name, by = 1) => host.count(name, by),
  observe: (name, value) => host.observe(name, value),
};
