/**
 * Text in and out of columns. A call into the engine costs more than the bytes of a record: so a column is decoded whole when
 * the first of its values is asked for, and the texts of a batch are encoded together. Where all is ASCII, bytes and
 * characters have the same places.
 */

import { Decoder, Encoder, binary, isAscii } from "./utf8.js";

/** Characters that are encoded at a time: enough to make the call cheap, without a second copy of a large batch. */
const TOGETHER = 1 << 20;

/**
 * A column as text: slices of `whole` are that of its values where it is `plain`.
 * @typedef {{ plain: boolean, whole: string }} Decoded
 */

/**
 * What an engine has, or what stands in for it.
 * @typedef {object} Utf8
 * @property {(text: string) => Uint8Array} encode
 * @property {(bytes: Uint8Array) => string} decode throws where it is not UTF-8
 * @property {(data: Uint8Array) => Decoded} column
 */

/** @type {() => Utf8} */
export const native = () => {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const replacing = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    encode: (text) => encoder.encode(text),
    decode: (bytes) => decoder.decode(bytes),
    column(data) {
      const whole = replacing.decode(data);
      // As many characters as bytes, and none of them stands for bytes that are no UTF-8: all is ASCII.
      const plain = whole.length === data.length && !whole.includes("\ufffd");
      return { plain, whole: plain ? whole : "" };
    },
  };
};

/** @type {() => Utf8} */
export const bare = () => {
  const encoder = new Encoder();
  const decoder = new Decoder("utf-8", { fatal: true, ignoreBOM: true });
  return {
    encode: (text) => encoder.encode(text),
    decode: (bytes) => decoder.decode(bytes),
    column(data) {
      const plain = isAscii(data);
      return { plain, whole: plain ? binary(data) : "" };
    },
  };
};

/** What this engine does best. */
export const utf8 = typeof TextDecoder === "function" && TextDecoder !== /** @type {unknown} */ (Decoder) ? native() : bare();

/** @param {Uint8Array} bytes */
export function decode(bytes) {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new TypeError("not UTF-8");
  }
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
    const lengths = this.#lengths;
    const ends = new Uint32Array(lengths.length);
    for (let at = 0, end = 0; at < ends.length; at++) ends[at] = end += lengths[at];
    return { data: this.#data.subarray(0, this.#used), ends, nulls: new Uint32Array(this.nulls) };
  }
}

/**
 * A column of texts alone, which is what most modules write: `undefined` where it holds bytes, is not ASCII, or too large for
 * one call. Places without a text are empty.
 * @param {(string | Uint8Array | null | undefined)[]} values
 * @param {number} records
 */
export function plainTexts(values, records) {
  const ends = new Uint32Array(records);
  let end = 0;
  for (let record = 0; record < records; record++) {
    const value = values[record];
    if (typeof value === "string") end += value.length;
    else if (value !== null && value !== undefined) return undefined;
    ends[record] = end;
  }
  if (end > TOGETHER * 4) return undefined;
  // Null and undefined are empty to `join`.
  const data = utf8.encode(values.join(""));
  return data.length === end ? { data, ends } : undefined;
}
