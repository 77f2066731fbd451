/** The conformance guest of TypeScript, on StarlingMonkey: see tests/conformance/README.md. */

import { FatalError, RetryError, defineModule, log, metrics, type Batch, type Op, type Output, type Reads, type Row } from "@wasmill/sdk";

interface Job {
  reads?: Reads[];
  row?(row: Row, out: Output, batch: Batch): void;
  batch?(batch: Batch, out: Output): void;
}

const OPS: Op[] = ["put", "create", "merge", "delete"];

export default defineModule({
  name: "conformance-ts",
  version: "1.0.0",
  summary: "Does what the suite asks for.",
  settings: {
    do: { summary: "what to do with a batch", required: true },
    routes: { summary: "names of the routes", type: "list", default: ["out"] },
    times: { summary: "how often", type: "number", default: 1 },
    note: { summary: "not used" },
  },
  init(config, given) {
    let seen = 0;

    const jobs: Record<string, Job> = {
      keep: { reads: [], batch: (_, out) => out.keepAll() },
      copy: {
        row(row, out) {
          const sent = out.keep(row).key(row.key).value(row.value).timestamp(row.timestamp).noHeaders();
          for (const header of row.headers) sent.header(header.nameBytes, header.value);
        },
      },
      even: { reads: [], row: (row, out) => void (row.index % 2 === 0 && out.keep(row)) },
      none: { reads: [], batch() {} },
      thrice: {
        row(row, out) {
          out.keep(row);
          out.keep(row).value(row.key);
          out.keep(row).value("");
        },
      },
      tombstone: { reads: [], row: (row, out) => void out.keep(row).value(null) },
      swap: { row: (row, out) => void out.keep(row).key(row.value).value(row.key) },
      text: {
        row(row, out) {
          let text;
          try {
            text = row.text();
          } catch (error) {
            return out.reject(row, (error as Error).message);
          }
          out.keep(row).value(text === null ? null : `${text}!`);
        },
      },
      length: { row: (row, out) => void out.keep(row).value(`${row.key?.length ?? "-"}:${row.value?.length ?? "-"}`) },
      info: {
        reads: ["offsets", "timestamps"],
        row: (row, out, { topic, partition, attempt, length }) => void out.keep(row).value([topic, partition, row.offset, row.timestamp, attempt, length].join("/")),
      },
      headers: {
        row(row, out) {
          const sent = out.keep(row).noHeaders();
          for (const header of row.headers.reverse()) sent.header(header.nameBytes, header.value);
          sent.header("added", "1").header("none", null);
        },
      },
      route: {
        row(row, out) {
          const route = row.text();
          if (route !== null && config.routes.includes(route)) out.keep(row).route(route);
        },
      },
      target: {
        row(row, out) {
          const sent = out.keep(row);
          const target = row.keyText();
          if (target !== null) sent.target(target);
        },
      },
      op: { reads: ["values"], row: (row, out) => void out.keep(row).op(OPS[row.index % 4]) },
      version: { reads: ["offsets"], row: (row, out) => void out.keep(row).version(row.offset * 10n + 1n) },
      reject: {
        row(row, out) {
          const text = row.text();
          if (text?.startsWith("bad")) out.reject(row, `row ${row.index}: ${text}`);
          else out.keep(row);
        },
      },
      retry: {
        reads: [],
        batch({ attempt }, out) {
          if (attempt < config.times) throw new RetryError(`again ${attempt}`);
          out.keepAll();
        },
      },
      fatal: {
        batch(batch) {
          throw new FatalError(`stop: ${batch.row(0).text()}`);
        },
      },
      throw: {
        row(row, out) {
          if (row.text() === "boom") throw new Error(`boom at row ${row.index}`);
          out.keep(row);
        },
      },
      config: {
        batch(batch, out) {
          const settings = [...given].map(([name, value]) => `${name}=${value}`);
          if (batch.length > 0) out.keep(batch.row(0)).value(settings.sort().join(";"));
        },
      },
      count: { reads: [], row: (row, out) => void out.keep(row).value(String(++seen)) },
      grow: { row: (row, out) => void out.keep(row).value(row.text()?.repeat(config.times) ?? null) },
      log: {
        row(row, out) {
          const value = row.text() ?? "";
          log.info(value);
          console.log(value);
          metrics.count("seen");
          metrics.observe("bytes", row.value?.length ?? 0);
          out.keep(row);
        },
      },
      spin: {
        batch() {
          for (;;);
        },
      },
      allocate: {
        batch() {
          for (const held = []; ; ) held.push(new Uint8Array(1 << 20).fill(1));
        },
      },
      recurse: { batch: () => void recurse(1) },
      flood: {
        batch() {
          for (;;) console.log("a flood of words that nobody asked for");
        },
      },
    };

    const job = Object.hasOwn(jobs, config.do) ? jobs[config.do] : undefined;
    if (job === undefined) throw new Error(`do: unknown: ${config.do}`);
    return {
      routes: config.routes,
      reads: job.reads,
      transform(batch, out) {
        if (batch.length === 0) return;
        job.batch?.(batch, out);
        if (job.row) for (const row of batch) job.row(row, out, batch);
      },
    };
  },
});

function recurse(depth: number): number {
  return recurse(depth + 1) + 1;
}
