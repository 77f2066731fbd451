/**
 * What modules find in the global scope beside the language. Imported first: the sources of the module may use it when they
 * are loaded. QuickJS has no `TextEncoder`, no `TextDecoder` and no `console`.
 */

import { console } from "../src/log.js";
import { Decoder, Encoder } from "../src/utf8.js";

Object.assign(globalThis, { console });
globalThis.TextEncoder ??= /** @type {any} */ (Encoder);
globalThis.TextDecoder ??= /** @type {any} */ (Decoder);
