/** A row change as Maxwell writes it. Numbers are kept digit by digit: a double does not hold every BIGINT or DECIMAL. */

export type Row = Record<string, unknown>;

export interface Change {
  database: string;
  table: string;
  /** `insert`, `update`, `delete`, `bootstrap-insert`; others are no rows. */
  type: string;
  /** The row after the change, or the one that is gone. */
  data: Row;
  /** What an update changed, as it was before. */
  old: Row;
}

/** Reads a change; anything else throws. */
export function read(text: string | null): Change {
  const { database, table, type, data = {}, old = {} } = JSON.parse(text ?? "", exact);
  if (typeof database !== "string" || typeof table !== "string" || typeof type !== "string") throw new Error("not a row change");
  return { database, table, type, data, old };
}

/** A value as the text of a key. */
export function text(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What JavaScript has had since 2025: the digits of a number as they stand, in and out. Older engines keep the double. */
function exact(_: string, value: unknown, context?: { source?: string }): unknown {
  const { rawJSON } = JSON as { rawJSON?: (text: string) => unknown };
  const differs = typeof value === "number" && context?.source !== undefined && String(value) !== context.source;
  return differs && rawJSON ? rawJSON(context.source as string) : value;
}
