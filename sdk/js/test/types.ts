/** What the editor knows: this file is checked by `tsc` and never run. */

import { defineModule, log, type Batch, type Config } from "@wasmill/sdk";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <_ extends true>() => {};

export default defineModule({
  name: "types",
  version: "1.0.0",
  settings: {
    word: { required: true },
    level: { default: "info" },
    times: { type: "number" },
    limit: { type: "number", default: 3 },
    loud: { type: "boolean", required: true },
    fields: { type: "list" },
    note: { summary: "may be left out" },
  },
  init(config, given) {
    holds<Equal<(typeof config)["word"], string>>();
    holds<Equal<(typeof config)["level"], string>>();
    holds<Equal<(typeof config)["times"], number | undefined>>();
    holds<Equal<(typeof config)["limit"], number>>();
    holds<Equal<(typeof config)["loud"], boolean>>();
    holds<Equal<(typeof config)["fields"], readonly string[]>>();
    holds<Equal<(typeof config)["note"], string | undefined>>();
    holds<Equal<typeof given, ReadonlyMap<string, string>>>();
    // @ts-expect-error: no such setting
    config.wrod;
    return {
      routes: ["a"],
      reads: ["values"],
      transform(batch, out) {
        holds<Equal<typeof batch, Batch>>();
        for (const row of batch) {
          holds<Equal<typeof row.value, Uint8Array | null>>();
          out.keep(row).value(row.text()).version(row.offset).op("merge");
          // @ts-expect-error: no such op
          out.keep(row).op("upsert");
        }
        log.info("done", batch.length);
      },
    };
  },
});

// @ts-expect-error: no such column
defineModule({ name: "x", version: "1", init: () => ({ reads: ["value"], transform() {} }) });
// @ts-expect-error: a default of another type
defineModule({ name: "x", version: "1", settings: { a: { type: "number", default: "3" } }, init: () => ({ transform() {} }) });
// @ts-expect-error: transform is missing
defineModule({ name: "x", version: "1", init: () => ({ routes: ["a"] }) });

holds<Equal<Config<{ a: { required: true } }>, { readonly a: string }>>();
