/**
 * `TextEncoder` and `TextDecoder` for QuickJS, which has neither. Natives of the engine do the work on runs of bytes; only
 * runs that are not ASCII are looked at one by one.
 *
 * Of the standard's encodings there is UTF-8 alone, and no streaming.
 */

const highBytes = /[\x80-\xff]+/g;
const highText = /[^\x00-\x7f]+/g;

/**
 * Bytes as the characters U+0000 to U+00FF.
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function binary(bytes) {
  if (typeof bytes.toBase64 === "function") return atob(bytes.toBase64());
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}

/**
 * Text of the UTF-8 in `binary(bytes)`. A sequence of UTF-8 that is not ASCII has high bytes alone, so that each run of
 * them stands for itself.
 * @param {string} bytes
 * @param {boolean} fatal
 * @returns {string}
 */
export function fromBinary(bytes, fatal) {
  return bytes.replace(highBytes, (run) => {
    try {
      return decodeURIComponent(escape(run));
    } catch {
      if (fatal) throw new TypeError("not UTF-8");
      return replaced(run);
    }
  });
}

/**
 * As the standard replaces what is not UTF-8: one U+FFFD for each longest beginning of a sequence.
 * @param {string} run
 */
function replaced(run) {
  let text = "";
  for (let at = 0; at < run.length; ) {
    const { length, whole } = sequence(run, at);
    text += whole ? decodeURIComponent(escape(run.slice(at, at + length))) : "\ufffd";
    at += length;
  }
  return text;
}

/**
 * The sequence that begins at a place, or as much of one as is there.
 * @param {string} run
 * @param {number} at
 */
function sequence(run, at) {
  const first = run.charCodeAt(at);
  const needed = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 1;
  if (needed === 1) return { length: 1, whole: false };
  let low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  let high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  for (let length = 1; length < needed; length++) {
    const next = run.charCodeAt(at + length);
    if (!(next >= low && next <= high)) return { length, whole: false };
    low = 0x80;
    high = 0xbf;
  }
  return { length: needed, whole: true };
}

/**
 * Thirty-two bytes at a time: QuickJS takes longer for a step of a loop, or of a regular expression, than for what is done in
 * it.
 * @param {Uint8Array} bytes
 */
export function isAscii(bytes) {
  let bits = 0;
  let at = 0;
  // Words begin at a multiple of four, and a view has to as well, also one of none.
  const before = bytes.length < 4 ? 0 : -bytes.byteOffset & 3;
  for (; at < before; at++) bits |= bytes[at];
  const words = bytes.length < 4 ? [] : new Uint32Array(bytes.buffer, bytes.byteOffset + at, (bytes.length - at) >> 2);
  let word = 0;
  for (const end = words.length - 7; word < end; word += 8) {
    bits |= words[word] | words[word + 1] | words[word + 2] | words[word + 3] | words[word + 4] | words[word + 5] | words[word + 6] | words[word + 7];
  }
  at += word * 4;
  for (; at < bytes.length; at++) bits |= bytes[at];
  return (bits & 0x80808080) === 0;
}

/** @param {string} bytes characters U+0000 to U+00FF; throws where there are others */
function fromCharacters(bytes) {
  if (typeof Uint8Array.fromBase64 === "function") return Uint8Array.fromBase64(btoa(bytes));
  return Uint8Array.from(bytes, (character) => {
    if (character > "\xff") throw new RangeError("not a byte");
    return character.charCodeAt(0);
  });
}

/** @param {string} text */
function encode(text) {
  try {
    const bytes = fromCharacters(text);
    if (isAscii(bytes)) return bytes;
  } catch {
    // There are characters beyond U+00FF.
  }
  return fromCharacters(text.replace(highText, (run) => unescape(encodeURIComponent(run.toWellFormed()))));
}

export class Encoder {
  encoding = "utf-8";

  encode(text = "") {
    return encode(String(text));
  }

  /** @param {string} text @param {Uint8Array} into */
  encodeInto(text, into) {
    let read = 0;
    let written = 0;
    for (const character of text) {
      const bytes = encode(character);
      if (written + bytes.length > into.length) break;
      into.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

export class Decoder {
  encoding = "utf-8";

  constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    if (!/^(utf-?8|unicode-1-1-utf-8)$/i.test(label.trim())) throw new RangeError(`encoding ${label} is not known here: there is utf-8 alone`);
    this.fatal = fatal;
    this.ignoreBOM = ignoreBOM;
  }

  /** @param {ArrayBuffer | ArrayBufferView} [input] */
  decode(input = new Uint8Array()) {
    const bytes = input instanceof ArrayBuffer ? new Uint8Array(input) : new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    if (isAscii(bytes)) return binary(bytes);
    const text = fromBinary(binary(bytes), this.fatal);
    return !this.ignoreBOM && text.startsWith("\ufeff") ? text.slice(1) : text;
  }
}
