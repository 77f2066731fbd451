/**
 * What becomes of a batch. Records note what is set on them; the columns that cross are made at the end, and a column that
 * nobody set stays away.
 */

import { FatalError } from "./errors.js";
import { Bytes, plainTexts } from "./text.js";

/**
 * @typedef {import("../types/index.js").Op} Op
 * @typedef {string | Uint8Array | null} Value
 * @typedef {{ own: boolean, added: [string | Uint8Array, Value][] }} HeaderEdits
 * @typedef {import("./batch.js").RawBatch} RawBatch
 */

/** Everything that was said, by the number of the record; a place without a value is the row's own. */
class Draft {
  /** @type {number[]} */
  rows = [];
  /** @type {Map<number, string>} */
  rejects = new Map();
  /** @type {string | undefined} */
  mistake;
  /** @type {number[]} */
  routes = [];
  /** @type {Value[]} */
  keys = [];
  /** @type {Value[]} */
  values = [];
  /** @type {HeaderEdits[]} */
  headers = [];
  /** @type {(number | bigint)[]} */
  timestamps = [];
  /** @type {string[]} */
  targets = [];
  /** @type {Op[]} */
  ops = [];
  /** @type {bigint[]} */
  versions = [];

  /** @param {readonly string[]} routeNames */
  constructor(routeNames) {
    this.routeNames = routeNames;
  }

  /** @param {number} records */
  truncate(records) {
    for (const list of [this.rows, this.routes, this.keys, this.values, this.headers, this.timestamps, this.targets, this.ops, this.versions]) {
      if (list.length > records) list.length = records;
    }
  }
}

const OPS = new Set(["put", "create", "merge", "delete"]);

export class Output {
  /**
   * @param {RawBatch} raw
   * @param {readonly string[]} routes
   */
  constructor(raw, routes) {
    this._raw = raw;
    this._draft = new Draft(routes);
  }

  get length() {
    return this._draft.rows.length;
  }

  /** @param {{ readonly index: number }} row */
  keep(row) {
    const draft = this._draft;
    const rows = draft.rows;
    const record = rows.length;
    if (record > 0 && row.index < rows[record - 1]) {
      draft.mistake ??= `row ${row.index} was kept after row ${rows[record - 1]}: keep rows in the order of the batch`;
    }
    rows.push(row.index);
    return new Sent(draft, record);
  }

  keepAll() {
    const { rows } = this._draft;
    if (this._raw.rows > 0) this.keep({ index: 0 });
    for (let index = 1; index < this._raw.rows; index++) rows.push(index);
  }

  /**
   * @param {{ readonly index: number }} row
   * @param {string} reason
   */
  reject(row, reason) {
    const { rows, rejects } = this._draft;
    let records = rows.length;
    while (records > 0 && rows[records - 1] === row.index) records--;
    this._draft.truncate(records);
    if (!rejects.has(row.index)) rejects.set(row.index, String(reason));
  }

  /** The answer as it crosses. */
  finish() {
    return finish(this._draft, this._raw);
  }
}

export class Sent {
  /**
   * @param {Draft} draft
   * @param {number} record
   */
  constructor(draft, record) {
    this._draft = draft;
    this._record = record;
  }

  /** @param {string} name */
  route(name) {
    const route = this._draft.routeNames.indexOf(name);
    if (route < 0) throw new RangeError(`route ${JSON.stringify(name)} is not one of init's: ${this._draft.routeNames.join(", ")}`);
    this._draft.routes[this._record] = route;
    return this;
  }

  /** @param {Value} key */
  key(key) {
    this._draft.keys[this._record] = bytesOrText(key, "a key");
    return this;
  }

  /** @param {Value} value */
  value(value) {
    this._draft.values[this._record] = bytesOrText(value, "a value");
    return this;
  }

  /** @param {unknown} value */
  json(value) {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`${typeof value} is nothing that JSON can say`);
    this._draft.values[this._record] = text;
    return this;
  }

  /**
   * @param {string | Uint8Array} name
   * @param {Value} value
   */
  header(name, value) {
    const edits = (this._draft.headers[this._record] ??= { own: true, added: [] });
    edits.added.push([name, bytesOrText(value, "a header's value")]);
    return this;
  }

  noHeaders() {
    this._draft.headers[this._record] = { own: false, added: [] };
    return this;
  }

  /** @param {number | bigint | Date} timestamp */
  timestamp(timestamp) {
    const whole = typeof timestamp === "bigint" ? timestamp : Math.trunc(Number(timestamp));
    if (Number.isNaN(whole)) throw new RangeError(`timestamp ${timestamp} is no time`);
    this._draft.timestamps[this._record] = whole;
    return this;
  }

  /** @param {string} target */
  target(target) {
    this._draft.targets[this._record] = target;
    return this;
  }

  /** @param {Op} op */
  op(op) {
    if (!OPS.has(op)) throw new RangeError(`op ${JSON.stringify(op)} is not one of ${[...OPS].join(", ")}`);
    this._draft.ops[this._record] = op;
    return this;
  }

  /** @param {number | bigint} version */
  version(version) {
    const whole = BigInt(version);
    if (BigInt.asUintN(64, whole) !== whole) throw new RangeError(`version ${version} is not from 0 to 2^64 - 1`);
    this._draft.versions[this._record] = whole;
    return this;
  }
}

/**
 * @param {Value} value
 * @param {string} what
 */
function bytesOrText(value, what) {
  if (typeof value === "string" || value === null || value instanceof Uint8Array) return value;
  throw new TypeError(`${what} is a string, a Uint8Array or null, not ${value === undefined ? "undefined" : Object.prototype.toString.call(value).slice(8, -1)}`);
}

/**
 * @param {Draft} draft
 * @param {RawBatch} raw
 */
function finish(draft, raw) {
  if (draft.mistake !== undefined) throw new FatalError(draft.mistake);
  const kept = new Set(draft.rejects.size > 0 ? draft.rows : []);
  for (const row of draft.rejects.keys()) {
    if (kept.has(row)) throw new FatalError(`row ${row} was both kept and rejected: it can only be one of them`);
  }
  const rejects = Array.from(draft.rejects, ([row, reason]) => ({ row, reason }));
  const records = draft.rows.length;
  return {
    rows: new Uint32Array(draft.rows),
    routes: new Uint16Array(isSet(draft.routes) ? fill(draft.routes, records, () => 0) : []),
    keys: edited(draft.keys, records),
    values: edited(draft.values, records),
    headers: headers(draft, raw),
    timestamps: timestamps(draft, raw),
    targets: targets(draft.targets, records),
    ops: ops(draft, raw),
    versions: isSet(draft.versions) ? BigUint64Array.from(fill(draft.versions, records, () => 0n)) : undefined,
    rejects: rejects.sort((a, b) => a.row - b.row),
  };
}

/**
 * Whether any record says something: what was said of records that were taken back left places without a value.
 * @param {unknown[]} list
 */
function isSet(list) {
  return list.length > 0 && list.some(() => true);
}

/**
 * @template T
 * @param {T[]} list
 * @param {number} records
 * @param {(record: number) => T} unset
 */
function fill(list, records, unset) {
  for (let record = 0; record < records; record++) list[record] ??= unset(record);
  return list;
}

/**
 * @param {Value[]} list
 * @param {number} records
 */
function edited(list, records) {
  if (!isSet(list)) return undefined;
  /** @type {number[]} */
  const kept = [];
  /** @type {number[]} */
  const nulls = [];
  for (let record = 0; record < records; record++) {
    const value = list[record];
    if (value === undefined) kept.push(record);
    else if (value === null) nulls.push(record);
  }
  return { ...(plainTexts(list, records) ?? mixed(list, records)), nulls: new Uint32Array(nulls), kept: new Uint32Array(kept) };
}

/**
 * @param {Value[]} list
 * @param {number} records
 */
function mixed(list, records) {
  const column = new Bytes();
  for (let record = 0; record < records; record++) column.push(list[record] ?? "");
  const { data, ends } = column.finish();
  return { data, ends };
}

/**
 * @param {string[]} list
 * @param {number} records
 */
function targets(list, records) {
  if (!isSet(list)) return undefined;
  const column = new Bytes();
  for (let record = 0; record < records; record++) column.push(list[record] ?? null);
  return column.finish();
}

/**
 * The contract knows no kept headers: once one record has its own, those of all others cross as well.
 * @param {Draft} draft
 * @param {RawBatch} raw
 */
function headers({ headers, rows }, { headers: own }) {
  if (!isSet(headers)) return undefined;
  const names = new Bytes();
  const values = new Bytes();
  const rowEnds = new Uint32Array(rows.length);
  const isNull = new Set(Array.from(own.values.nulls));
  /** @param {import("./batch.js").RawBytes} column @param {number} index */
  const slice = ({ data, ends }, index) => data.subarray(index === 0 ? 0 : ends[index - 1], ends[index]);
  rows.forEach((row, record) => {
    const edits = headers[record];
    if (edits?.own !== false) {
      if (own.rowEnds.length === 0) {
        throw new FatalError(
          "a record's headers were set, and the headers of others would be lost: the plan does not read headers. " +
            'Add "headers" to its reads, or call noHeaders on every record',
        );
      }
      for (let at = row === 0 ? 0 : own.rowEnds[row - 1]; at < own.rowEnds[row]; at++) {
        names.push(slice(own.names, at));
        values.push(isNull.has(at) ? null : slice(own.values, at));
      }
    }
    for (const [name, value] of edits?.added ?? []) {
      names.push(name);
      values.push(value);
    }
    rowEnds[record] = names.length;
  });
  return { rowEnds, names: names.finish(), values: values.finish() };
}

/**
 * Timestamps that are all their rows' own stay away. So does what a number cannot hold: beyond 2^53 milliseconds the row's own
 * stands where the number is that of the row.
 * @param {Draft} draft
 * @param {RawBatch} raw
 */
function timestamps({ timestamps, rows }, raw) {
  if (!isSet(timestamps)) return undefined;
  let changed = false;
  const column = BigInt64Array.from(rows, (row, record) => {
    const own = raw.timestamps[row];
    const timestamp = timestamps[record] ?? own;
    if (timestamp === undefined) {
      throw new FatalError(
        "some records' timestamps were set, and those of others would be lost: the plan does not read timestamps. " +
          'Add "timestamps" to its reads, or set the timestamp of every record',
      );
    }
    if (own !== undefined && Number(own) === Number(timestamp)) return clamped(own);
    changed = true;
    return clamped(timestamp);
  });
  return changed ? column : undefined;
}

const EARLIEST = -(2n ** 63n);
const LATEST = 2n ** 63n - 1n;

/** @param {number | bigint} timestamp */
function clamped(timestamp) {
  if (timestamp >= LATEST) return LATEST;
  return timestamp <= EARLIEST ? EARLIEST : BigInt(timestamp);
}

/**
 * One record's op changes nothing for the others: they get what the host does with a record that has none.
 * @param {Draft} draft
 * @param {RawBatch} raw
 */
function ops({ ops, rows, values }, raw) {
  if (!isSet(ops)) return undefined;
  const isNull = new Set(Array.from(raw.values.nulls));
  return fill(ops, rows.length, (record) => ((values[record] === undefined ? isNull.has(rows[record]) : values[record] === null) ? "delete" : "put"));
}
