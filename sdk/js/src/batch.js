/** The rows of a batch, read where they lie: bytes are views, and what is not asked for is not made. */

import { utf8 } from "./text.js";

/**
 * As it crosses: see the contract, `wit/deps/transform/transform.wit`. Lists of numbers are typed arrays in one engine and
 * plain arrays in the other; 64-bit numbers are bigints in one and numbers in the other.
 * @typedef {{ data: Uint8Array, ends: ArrayLike<number>, nulls: ArrayLike<number> }} RawBytes
 * @typedef {{ rowEnds: ArrayLike<number>, names: RawBytes, values: RawBytes }} RawHeaders
 * @typedef {object} RawBatch
 * @property {string} topic
 * @property {number} partition
 * @property {number} rows
 * @property {number} attempt
 * @property {ArrayLike<number | bigint>} offsets
 * @property {ArrayLike<number | bigint>} timestamps
 * @property {RawBytes} keys
 * @property {RawBytes} values
 * @property {RawHeaders} headers
 */

/** One column of byte strings. */
export class Column {
  #raw;
  /** @type {Set<number> | undefined} */
  #nulls;
  /** @type {import("./text.js").Slices | undefined} */
  #slices;

  /** @param {RawBytes} raw */
  constructor(raw) {
    // StarlingMonkey's bindings live in a realm of their own: their arrays are no `Uint8Array` to a module.
    const { data } = raw;
    this.#raw = data instanceof Uint8Array ? raw : { ...raw, data: viewed(data) };
    if (raw.nulls.length > 0) this.#nulls = new Set(Array.from(raw.nulls));
  }

  /** @param {number} index */
  #isNull(index) {
    return index >= this.#raw.ends.length || (this.#nulls !== undefined && this.#nulls.has(index));
  }

  /** @param {number} index */
  bytes(index) {
    if (this.#isNull(index)) return null;
    const { data, ends } = this.#raw;
    return data.subarray(index === 0 ? 0 : ends[index - 1], ends[index]);
  }

  /** @param {number} index */
  text(index) {
    if (this.#isNull(index)) return null;
    const { data, ends } = this.#raw;
    const slices = (this.#slices ??= utf8.slices(data));
    try {
      return slices(index === 0 ? 0 : ends[index - 1], ends[index]);
    } catch {
      throw new TypeError("not UTF-8");
    }
  }
}

/** @param {ArrayBufferView} data */
function viewed(data) {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

export class Batch {
  /** @type {RawBatch} */
  #raw;
  /** @type {Columns} */
  #columns;

  /** @param {RawBatch} raw */
  constructor(raw) {
    this.#raw = raw;
    this.#columns = new Columns(raw);
  }

  get topic() {
    return this.#raw.topic;
  }

  get partition() {
    return this.#raw.partition;
  }

  get attempt() {
    return this.#raw.attempt;
  }

  get length() {
    return this.#raw.rows;
  }

  /** @param {number} index */
  row(index) {
    if (!(index >= 0 && index < this.#raw.rows)) throw new RangeError(`row ${index} of a batch of ${this.#raw.rows}`);
    return new Row(this.#columns, index);
  }

  /** @returns {Iterator<Row>} */
  [Symbol.iterator]() {
    const columns = this.#columns;
    const rows = this.#raw.rows;
    let index = 0;
    // Not a generator: those cost a microsecond per row.
    return { next: () => (index < rows ? { done: false, value: new Row(columns, index++) } : { done: true, value: undefined }) };
  }
}

/** What rows read from. */
class Columns {
  /** @param {RawBatch} raw */
  constructor(raw) {
    this.keys = new Column(raw.keys);
    this.values = new Column(raw.values);
    this.offsets = raw.offsets;
    this.timestamps = raw.timestamps;
    this.headerEnds = raw.headers.rowEnds;
    this.headerNames = new Column(raw.headers.names);
    this.headerValues = new Column(raw.headers.values);
  }
}

export class Row {
  #columns;
  index;

  /**
   * @param {Columns} columns
   * @param {number} index
   */
  constructor(columns, index) {
    this.#columns = columns;
    this.index = index;
  }

  get key() {
    return this.#columns.keys.bytes(this.index);
  }

  get value() {
    return this.#columns.values.bytes(this.index);
  }

  keyText() {
    return this.#columns.keys.text(this.index);
  }

  text() {
    return this.#columns.values.text(this.index);
  }

  json() {
    const text = this.#columns.values.text(this.index);
    return text === null ? null : JSON.parse(text);
  }

  get offset() {
    return BigInt(this.#columns.offsets[this.index] ?? 0);
  }

  get timestamp() {
    return Number(this.#columns.timestamps[this.index] ?? 0);
  }

  get headers() {
    const { headerEnds, headerNames, headerValues } = this.#columns;
    const end = headerEnds[this.index] ?? 0;
    const headers = [];
    for (let at = this.index === 0 ? 0 : (headerEnds[this.index - 1] ?? 0); at < end; at++) {
      headers.push(new Header(headerNames, headerValues, at));
    }
    return headers;
  }

  /** @param {string} name */
  header(name) {
    return this.headers.findLast((header) => header.name === name)?.value;
  }
}

export class Header {
  #names;
  #values;
  #index;

  /**
   * @param {Column} names
   * @param {Column} values
   * @param {number} index
   */
  constructor(names, values, index) {
    this.#names = names;
    this.#values = values;
    this.#index = index;
  }

  get name() {
    return this.#names.text(this.#index) ?? "";
  }

  get nameBytes() {
    return this.#names.bytes(this.#index) ?? new Uint8Array();
  }

  get value() {
    return this.#values.bytes(this.#index);
  }

  text() {
    return this.#values.text(this.#index);
  }
}
