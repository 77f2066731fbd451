/**
 * The rows of a batch, read where they lie: bytes are views, and what is not asked for is not made.
 *
 * What is done for every row is written for interpreters, which both engines are: few calls, no private fields (StarlingMonkey
 * takes two microseconds for one), no generators.
 */

import { decode, utf8 } from "./text.js";

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
class Column {
  /** @param {RawBytes} raw */
  constructor({ data, ends, nulls }) {
    // StarlingMonkey's bindings live in a realm of their own: their arrays are no `Uint8Array` to a module.
    this.data = data instanceof Uint8Array ? data : viewed(data);
    this.ends = ends;
    /** @type {Set<number> | undefined} */
    this.nulls = nulls.length > 0 ? new Set(Array.from(nulls)) : undefined;
    /** @type {import("./text.js").Decoded | undefined} */
    this.decoded = undefined;
  }

  /** @param {number} index */
  bytes(index) {
    const { ends, nulls } = this;
    if (index >= ends.length || (nulls !== undefined && nulls.has(index))) return null;
    return this.data.subarray(index === 0 ? 0 : ends[index - 1], ends[index]);
  }

  /** @param {number} index */
  text(index) {
    const { ends, nulls } = this;
    if (index >= ends.length || (nulls !== undefined && nulls.has(index))) return null;
    const { plain, whole } = (this.decoded ??= utf8.column(this.data));
    const begin = index === 0 ? 0 : ends[index - 1];
    if (plain) return whole.slice(begin, ends[index]);
    return decode(this.data.subarray(begin, ends[index]));
  }
}

/** @param {ArrayBufferView} data */
function viewed(data) {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
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

export class Batch {
  #raw;
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
    // One object for all steps: a loop has read it before it asks for the next.
    const step = { done: false, value: /** @type {any} */ (undefined) };
    return {
      next() {
        if (index < rows) {
          step.value = new Row(columns, index++);
          return step;
        }
        return { done: true, value: undefined };
      },
    };
  }
}

export class Row {
  /**
   * @param {Columns} columns
   * @param {number} index
   */
  constructor(columns, index) {
    this._columns = columns;
    this.index = index;
  }

  get key() {
    return this._columns.keys.bytes(this.index);
  }

  get value() {
    return this._columns.values.bytes(this.index);
  }

  keyText() {
    return this._columns.keys.text(this.index);
  }

  text() {
    return this._columns.values.text(this.index);
  }

  json() {
    const text = this._columns.values.text(this.index);
    return text === null ? null : JSON.parse(text);
  }

  get offset() {
    return BigInt(this._columns.offsets[this.index] ?? 0);
  }

  get timestamp() {
    return Number(this._columns.timestamps[this.index] ?? 0);
  }

  get headers() {
    const { headerEnds, headerNames, headerValues } = this._columns;
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
  /**
   * @param {Column} names
   * @param {Column} values
   * @param {number} index
   */
  constructor(names, values, index) {
    this._names = names;
    this._values = values;
    this._index = index;
  }

  get name() {
    return this._names.text(this._index) ?? "";
  }

  get nameBytes() {
    return this._names.bytes(this._index) ?? new Uint8Array();
  }

  get value() {
    return this._values.bytes(this._index);
  }

  text() {
    return this._values.text(this._index);
  }
}
