/** `defineModule`: looks at a definition when the module is built, so that a mistake is not found by a host. */

const TYPES = new Set(["text", "number", "boolean", "list"]);

/** @type {typeof import("../types/index.js").defineModule} */
export const defineModule = (definition) => {
  const { name, version, settings = {}, init } = definition;
  for (const [field, value] of Object.entries({ name, version })) {
    if (typeof value !== "string" || value === "") throw new TypeError(`defineModule: \`${field}\` is a text that is not empty`);
  }
  if (typeof init !== "function") throw new TypeError("defineModule: `init` is a function that answers routes, reads and transform");
  for (const [name, { type = "text", default: value, required }] of Object.entries(settings)) {
    if (!TYPES.has(type)) throw new TypeError(`defineModule: setting \`${name}\`: type ${JSON.stringify(type)} is none of ${[...TYPES].join(", ")}`);
    if (required && value !== undefined) throw new TypeError(`defineModule: setting \`${name}\` is required, and so needs no default`);
    const is = Array.isArray(value) ? "list" : typeof value === "string" ? "text" : typeof value;
    if (value !== undefined && is !== type) throw new TypeError(`defineModule: setting \`${name}\`: its default is not a ${type}`);
  }
  return definition;
};
