/** Runs a module over records with nothing but Node: the same code as in a component, without one. */

import { FatalError, RetryError } from "./errors.js";
import { exported } from "./exported.js";

/**
 * @typedef {import("../types/testing.js").TestRecord} TestRecord
 * @typedef {import("../types/testing.js").SentRecord} SentRecord
 * @typedef {import("./batch.js").RawBytes} RawBytes
 */

const encoder = new TextEncoder();

/** @type {typeof import("../types/testing.js").start} */
export const start = (definition, settings = {}) => {
  const { meta, columns } = exported(definition, (_, thrown) => {
    throw thrown;
  });
  const pairs = Object.entries(settings).map(([name, value]) => /** @type {[string, string]} */ ([name, String(value)]));
  const plan = opened(() => meta.init(pairs));
  let offset = 0n;
  return {
    describe: () => meta.describe(),
    plan: { routes: plan.routes, reads: /** @type {any} */ (Object.keys(plan.reads).filter((column) => plan.reads[column])) },
    run(records, { topic = "test", partition = 0, attempt = 0 } = {}) {
      const batch = { topic, partition, attempt, ...columnsOf(records, offset) };
      offset += BigInt(records.length);
      const output = opened(() => columns.transform(only(batch, plan.reads)));
      return read(output, plan.routes, batch);
    },
  };
};

/** @type {typeof import("../types/testing.js").run} */
export const run = (definition, records, settings) => start(definition, settings).run(records);

/**
 * Answers of the contract become what the author knows: the classes of the SDK.
 * @template T
 * @param {() => T} call
 */
function opened(call) {
  try {
    return call();
  } catch (thrown) {
    const payload = /** @type {any} */ (thrown)?.payload;
    if (payload === undefined) throw thrown;
    if (typeof payload === "string") throw new Error(payload);
    throw payload.tag === "retry" ? new RetryError(payload.val) : new FatalError(payload.val);
  }
}

/** @param {string | Uint8Array} value */
const bytes = (value) => (typeof value === "string" ? encoder.encode(value) : value);

/** @param {TestRecord["value"]} value */
function valueOf(value) {
  if (value === null || value === undefined) return null;
  return typeof value === "string" || value instanceof Uint8Array ? bytes(value) : bytes(JSON.stringify(value));
}

/** @param {(Uint8Array | null)[]} values */
function column(values) {
  const ends = new Uint32Array(values.length);
  const data = new Uint8Array(values.reduce((sum, value) => sum + (value?.length ?? 0), 0));
  let end = 0;
  values.forEach((value, index) => {
    if (value !== null) data.set(value, end);
    ends[index] = end += value?.length ?? 0;
  });
  return { data, ends, nulls: Uint32Array.from(values.flatMap((value, index) => (value === null ? [index] : []))) };
}

/**
 * @param {readonly TestRecord[]} records
 * @param {bigint} offset
 */
function columnsOf(records, offset) {
  const headers = records.map((record) => record.headers ?? []);
  let end = 0;
  return {
    rows: records.length,
    offsets: BigUint64Array.from(records, (record, index) => BigInt(record.offset ?? offset + BigInt(index))),
    timestamps: BigInt64Array.from(records, (record) => BigInt(record.timestamp ?? 0)),
    keys: column(records.map((record) => valueOf(record.key))),
    values: column(records.map((record) => valueOf(record.value))),
    headers: {
      rowEnds: Uint32Array.from(headers, (list) => (end += list.length)),
      names: column(headers.flat().map(([name]) => bytes(name))),
      values: column(headers.flat().map(([, value]) => (value === null ? null : bytes(value)))),
    },
  };
}

const EMPTY = column([]);

/**
 * Empties the columns that are not read, as the host does.
 * @param {any} batch
 * @param {Record<string, boolean>} reads
 */
function only(batch, reads) {
  return {
    ...batch,
    offsets: reads.offsets ? batch.offsets : [],
    timestamps: reads.timestamps ? batch.timestamps : [],
    keys: reads.keys ? batch.keys : EMPTY,
    values: reads.values ? batch.values : EMPTY,
    headers: reads.headers ? batch.headers : { rowEnds: [], names: EMPTY, values: EMPTY },
  };
}

/**
 * @param {RawBytes} column
 * @param {number} index
 */
function at({ data, ends, nulls }, index) {
  return Array.from(nulls).includes(index) ? null : data.slice(index === 0 ? 0 : ends[index - 1], ends[index]);
}

/**
 * What came out, with what a record kept of its row filled in.
 * @param {any} output
 * @param {readonly string[]} routes
 * @param {ReturnType<typeof columnsOf>} batch
 */
function read(output, routes, batch) {
  const decoder = new TextDecoder();
  /** @param {any} edits @param {RawBytes} own @param {number} record @param {number} row */
  const edited = (edits, own, record, row) => (edits === undefined || edits.kept.includes(record) ? at(own, row) : at(edits, record));
  const records = Array.from(output.rows, (/** @type {number} */ row, record) => {
    const headers = output.headers ?? batch.headers;
    const index = output.headers === undefined ? row : record;
    const target = output.targets === undefined ? null : at(output.targets, record);
    /** @type {[string, Uint8Array | null][]} */
    const list = [];
    for (let header = index === 0 ? 0 : headers.rowEnds[index - 1]; header < headers.rowEnds[index]; header++) {
      list.push([decoder.decode(at(headers.names, header) ?? undefined), at(headers.values, header)]);
    }
    return new Sent({
      row,
      route: routes[output.routes[record] ?? 0],
      key: edited(output.keys, batch.keys, record, row),
      value: edited(output.values, batch.values, record, row),
      headers: list,
      timestamp: Number(output.timestamps?.[record] ?? batch.timestamps[row]),
      target: target === null ? undefined : decoder.decode(target),
      op: output.ops?.[record],
      version: output.versions?.[record],
    });
  });
  const columns = ["keys", "values", "headers", "timestamps", "targets", "ops", "versions"].filter((name) => output[name] !== undefined);
  if (output.routes.length > 0) columns.unshift("routes");
  return { records, rejects: output.rejects, columns };
}

/** @implements {SentRecord} */
class Sent {
  /** @param {Omit<SentRecord, "text" | "json" | "keyText">} fields */
  constructor(fields) {
    this.row = fields.row;
    this.route = fields.route;
    this.key = fields.key;
    this.value = fields.value;
    this.headers = fields.headers;
    this.timestamp = fields.timestamp;
    this.target = fields.target;
    this.op = fields.op;
    this.version = fields.version;
  }

  keyText() {
    return this.key === null ? null : new TextDecoder("utf-8", { fatal: true }).decode(this.key);
  }

  text() {
    return this.value === null ? null : new TextDecoder("utf-8", { fatal: true }).decode(this.value);
  }

  json() {
    const text = this.text();
    return text === null ? null : JSON.parse(text);
  }
}
