/**
 * A row change as Maxwell writes it. Numbers are kept digit by digit: a double does not hold every BIGINT or DECIMAL.
 *
 * @typedef {Record<string, unknown>} Row
 * @typedef {object} Change
 * @property {string} database
 * @property {string} table
 * @property {string} type `insert`, `update`, `delete`, `bootstrap-insert`; others are no rows
 * @property {Row} data the row after the change, or the one that is gone
 * @property {Row} old what an update changed, as it was before
 */

/**
 * Reads a change; anything else throws.
 * @param {string | null} text
 * @returns {Change}
 */
export function read(text) {
  const { database, table, type, data = {}, old = {} } = JSON.parse(text ?? "", exact);
  if (typeof database !== "string" || typeof table !== "string" || typeof type !== "string") throw new Error("not a row change");
  return { database, table, type, data, old };
}

/**
 * A value as the text of a key.
 * @param {unknown} value
 */
export function text(value) {
  if (value === null || value === undefined) return undefined;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * What JavaScript has had since 2025: the digits of a number as they stand, in and out. Older engines keep the double.
 * @param {string} _
 * @param {unknown} value
 * @param {{ source?: string }} [context]
 */
function exact(_, value, context) {
  const { rawJSON } = /** @type {{ rawJSON?: (text: string) => unknown }} */ (JSON);
  const differs = typeof value === "number" && context?.source !== undefined && String(value) !== context.source;
  return differs && rawJSON ? rawJSON(/** @type {string} */ (context.source)) : value;
}
