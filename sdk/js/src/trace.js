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
  const places = map === undefined ? undefined : decoded(map.mappings);
  const found = [];
  for (const line of stack.split("\n")) {
    const frame = parse(line);
    if (frame === undefined) continue;
    const source = map && places && look(places, frame.line, frame.column);
    const file = source ? map.sources[source.source] : frame.file;
    // Below the author's own frames there are the SDK's and the engine's, which say nothing.
    if (map !== undefined && (source === undefined || isSdks(file))) continue;
    found.push(`    at ${frame.name || "<anonymous>"} (${file}:${source ? source.line : frame.line}:${source ? source.column : frame.column})`);
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

/**
 * For each line of the bundle, where its pieces begin and what they come from; all from 1.
 * @typedef {{ from: number, source: number, line: number, column: number }} Place
 */

/**
 * @param {string} mappings
 * @returns {Place[][]}
 */
function decoded(mappings) {
  let source = 0;
  let line = 0;
  let column = 0;
  return mappings.split(";").map((text) => {
    let from = 0;
    const places = [];
    for (const segment of text === "" ? [] : text.split(",")) {
      const numbers = vlq(segment);
      from += numbers[0];
      if (numbers.length < 4) continue;
      source += numbers[1];
      line += numbers[2];
      column += numbers[3];
      places.push({ from: from + 1, source, line: line + 1, column: column + 1 });
    }
    return places;
  });
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

/**
 * @param {Place[][]} places
 * @param {number} line
 * @param {number} column
 */
function look(places, line, column) {
  return places[line - 1]?.findLast(({ from }) => from <= column) ?? places[line - 1]?.[0];
}
