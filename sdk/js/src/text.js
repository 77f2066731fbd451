/**
 * Text in and out of columns. A call into the engine costs more than the bytes of a record: so a column is decoded whole
 * when the first of its values is asked for, and the texts of a batch are encoded together.
 */

import { Decoder, Encoder, binary, fromBinary } from "./utf8.js";

/** Characters that are encoded at a time: enough to make the call cheap, without a second copy of a large batch. */
const TOGETHER = 1 << 18;

/**
 * @typedef {object} Utf8
 * @property {(text: string) => Uint8Array} encode
 * @property {(data: Uint8Array) => Slices} slices
 */

/**
 * The text of a part of a column. Throws where it is not UTF-8.
 * @typedef {(begin: number, end: number) => string} Slices
 */

/** @type {Utf8} */
export const native = {
  encode: (text) => new TextEncoder().encode(text),
  slices(data) {
    const whole = new TextDecoder("utf-8", { ignoreBOM: true }).decode(data);
    // As many characters as bytes, and none of them stands for bytes that are no UTF-8: all is ASCII.
    if (whole.length === data.length && !whole.includes("\ufffd")) return (begin, end) => whole.slice(begin, end);
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return (begin, end) => decoder.decode(data.subarray(begin, end));
  },
};

/** @type {Utf8} */
export const bare = {
  encode: (text) => new Encoder().encode(text),
  slices(data) {
    const whole = binary(data);
    return isAscii(data) ? (begin, end) => whole.slice(begin, end) : (begin, end) => fromBinary(whole.slice(begin, end), true);
  },
};

/** What this engine does best. */
export const utf8 = typeof TextDecoder === "function" && TextDecoder !== /** @type {unknown} */ (Decoder) ? native : bare;

/**
 * Four bytes at a time: a regular expression takes a microsecond for a record in QuickJS.
 * @param {Uint8Array} data
 */
function isAscii(data) {
  let bits = 0;
  let at = 0;
  if (data.byteOffset % 4 === 0) {
    const words = new Uint32Array(data.buffer, data.byteOffset, data.length >> 2);
    for (; at < words.length; at++) bits |= words[at];
    at *= 4;
  }
  for (; at < data.length; at++) bits |= data[at];
  return (bits & 0x80808080) === 0;
}

/** Byte strings under construction: bytes are copied, texts wait for one another. */
export class Bytes {
  /** @type {Uint8Array} */
  #data = new Uint8Array();
  #used = 0;
  /** Lengths in bytes, of those that do not wait. @type {number[]} */
  #lengths = [];
  /** @type {string[]} */
  #waiting = [];
  #characters = 0;
  /** @type {number[]} */
  nulls = [];

  get length() {
    return this.#lengths.length + this.#waiting.length;
  }

  /** @param {string | Uint8Array | null} value */
  push(value) {
    if (typeof value === "string") {
      this.#waiting.push(value);
      this.#characters += value.length;
      if (this.#characters >= TOGETHER) this.#encode();
      return;
    }
    if (this.#waiting.length > 0) this.#encode();
    if (value === null) {
      this.nulls.push(this.#lengths.length);
      this.#lengths.push(0);
    } else {
      this.#append(value);
      this.#lengths.push(value.length);
    }
  }

  #encode() {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#characters = 0;
    const whole = waiting.length === 1 ? waiting[0] : waiting.join("");
    const bytes = utf8.encode(whole);
    if (bytes.length === whole.length) {
      this.#append(bytes);
      for (const text of waiting) this.#lengths.push(text.length);
      return;
    }
    for (const text of waiting) {
      const bytes = utf8.encode(text);
      this.#append(bytes);
      this.#lengths.push(bytes.length);
    }
  }

  /** @param {Uint8Array} bytes */
  #append(bytes) {
    const used = this.#used + bytes.length;
    if (used > this.#data.length) {
      // The first is taken as it is, without a copy: often it is all there is.
      const larger = this.#used === 0 ? bytes : new Uint8Array(Math.max(used, this.#data.length * 2));
      if (larger !== bytes) larger.set(this.#data.subarray(0, this.#used));
      this.#data = larger;
    }
    if (this.#data !== bytes) this.#data.set(bytes, this.#used);
    this.#used = used;
  }

  /** The column, with `ends` behind each value. */
  finish() {
    if (this.#waiting.length > 0) this.#encode();
    const ends = new Uint32Array(this.#lengths.length);
    let end = 0;
    for (let at = 0; at < ends.length; at++) ends[at] = end += this.#lengths[at];
    return { data: this.#data.subarray(0, this.#used), ends, nulls: Uint32Array.from(this.nulls) };
  }
}
