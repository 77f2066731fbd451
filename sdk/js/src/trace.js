/**
 * What an uncaught exception says: its message and its stack, in the files and lines that the author wrote.
 *
 * Modules are bundled; the build puts the bundle's source map beside it (`tool/bundle.js`) as `__wasmillSources`. It is
 * read when something is thrown, and costs nothing before.
 */

/** @typedef {{ sources: string[], mappings: string }} SourceMap */

/** Frames that are shown. */
const FRAMES = 20;

/**
 * @param {unknown} thrown
 * @returns {string}
 */
export function explain(thrown) {
  let text = explainOne(thrown);
  for (let depth = 0; thrown instanceof Error && thrown.cause !== undefined && depth < 4; depth++) {
    thrown = thrown.cause;
    text += `\ncaused by ${explainOne(thrown)}`;
  }
  return text;
}

/** @param {unknown} thrown */
function explainOne(thrown) {
  if (!(thrown instanceof Error)) return `${show(thrown)} was thrown, which is no Error and has no stack`;
  const words = thrown.message === "" ? thrown.name : `${thrown.name}: ${thrown.message}`;
  return [words, ...frames(thrown.stack ?? "")].join("\n");
}

/** @param {unknown} thrown */
function show(thrown) {
  try {
    return typeof thrown === "object" ? JSON.stringify(thrown) : String(thrown);
  } catch {
    return typeof thrown;
  }
}

/** @param {string} stack */
function frames(stack) {
  const map = /** @type {{ __wasmillSources?: SourceMap }} */ (globalThis).__wasmillSources;
  const places = map && new Places(map);
  const found = [];
  for (const line of stack.split("\n")) {
    const frame = parse(line);
    const place = frame && places ? places.find(frame.line, frame.column) : frame;
    // Below the author's own frames there are the SDK's and the engine's, which say nothing.
    if (frame === undefined || place === undefined || (places && isSdks(place.file))) continue;
    found.push(`    at ${frame.name || "<anonymous>"} (${place.file}:${place.line}:${place.column})`);
    if (found.length === FRAMES) break;
  }
  return found;
}

/** @param {string} file */
function isSdks(file) {
  return /(^|\/)(wasmill-sdk|@wasmill\/sdk|sdk\/js)\/(src|guest)\//.test(file);
}

/**
 * A line of a stack: `    at name (file:1:2)` of QuickJS and V8, `name@file:1:2` of SpiderMonkey.
 * @param {string} text
 */
function parse(text) {
  const found = /^\s*at (?:(.*) \()?(.*?):(\d+):(\d+)\)?$/.exec(text) ?? /^(.*)@(.*?):(\d+):(\d+)$/.exec(text);
  if (found === null) return undefined;
  const [, name = "", file, line, column] = found;
  return { name: name.replace(/^.*[/<](?=[^/<])/, "").replace(/[/<]+$/, ""), file, line: Number(line), column: Number(column) };
}

/** Where each piece of a bundle comes from. */
export class Places {
  #sources;
  /** By line: where its pieces begin, and their places; all from 1. @type {{ from: number, source: number, line: number, column: number }[][]} */
  #lines;

  /** @param {SourceMap} map */
  constructor({ sources, mappings }) {
    this.#sources = sources;
    let source = 0;
    let line = 0;
    let column = 0;
    this.#lines = mappings.split(";").map((text) => {
      let from = 0;
      const pieces = [];
      for (const segment of text === "" ? [] : text.split(",")) {
        const numbers = vlq(segment);
        from += numbers[0];
        if (numbers.length < 4) continue;
        source += numbers[1];
        line += numbers[2];
        column += numbers[3];
        pieces.push({ from: from + 1, source, line: line + 1, column: column + 1 });
      }
      return pieces;
    });
  }

  /**
   * @param {number} line
   * @param {number} column
   */
  find(line, column) {
    const pieces = this.#lines[line - 1] ?? [];
    const piece = pieces.findLast(({ from }) => from <= column) ?? pieces[0];
    return piece && { file: this.#sources[piece.source], line: piece.line, column: piece.column };
  }
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** @param {string} segment */
function vlq(segment) {
  const numbers = [];
  let value = 0;
  let shift = 0;
  for (const character of segment) {
    const digit = DIGITS.indexOf(character);
    value |= (digit & 31) << shift;
    shift += 5;
    if ((digit & 32) === 0) {
      numbers.push(value & 1 ? -(value >> 1) : value >> 1);
      value = shift = 0;
    }
  }
  return numbers;
}
