/**
 * Write a module for Wasmill: one function over a batch of Kafka records, and a description of itself.
 *
 * ```ts
 * import { defineModule } from "@wasmill/sdk";
 *
 * export default defineModule({
 *   name: "errors",
 *   version: "1.0.0",
 *   summary: "Keeps the lines that contain a word.",
 *   settings: { word: { summary: "the word to look for", default: "ERROR" } },
 *   init(config) {
 *     return {
 *       routes: ["errors"],
 *       reads: ["values"],
 *       transform(batch, out) {
 *         for (const row of batch) {
 *           if (row.text()?.includes(config.word)) out.keep(row);
 *         }
 *       },
 *     };
 *   },
 * });
 * ```
 *
 * ## What becomes of a row
 * - {@link Output.keep} sends it on: to the first route, unless {@link Sent.route} names another. What is not set on it
 *   stays the row's own, and is not copied out of the module.
 * - A row that is not kept is dropped on purpose.
 * - {@link Output.reject} sends it to the pipeline's dead letters, with a reason.
 * - {@link RetryError} asks for the whole batch again, later. {@link FatalError} stops the pipeline.
 * - Any other exception that nothing catches is a trap: the host finds the row that causes it, sends it to the dead letters
 *   with the exception's message and stack, and goes on with the rest.
 *
 * Rows are to be kept in the order of the batch: acknowledgement and order hang on it. One row may be kept several times. A
 * batch may be given to the module more than once.
 *
 * ## What a module may do
 * Compute, {@link log} (`console` writes to the same place) and count {@link metrics}. It has no files, no network, no
 * environment and no timers. An instance is called by one thread at a time, keeps its state from batch to batch, and may be
 * replaced at any time. What stands at the top level of its sources runs once, when it is built.
 *
 * @packageDocumentation
 */

/**
 * Says what a module is: the default export of its sources. Mistakes in the definition are thrown when the module is built.
 */
export function defineModule<const S extends Settings = {}>(definition: ModuleDefinition<S>): ModuleDefinition<S>;

/** A module: who it is, what it can be told, and how it starts. */
export interface ModuleDefinition<S extends Settings = {}> {
  /** What people call it by. */
  readonly name: string;
  readonly version: string;
  /** What it does, in a sentence. */
  readonly summary?: string;
  /** What a pipeline may say under `module.config`. The host checks pipelines against it. */
  readonly settings?: S;
  /**
   * Makes an instance. What it throws refuses the release: throw a {@link ConfigError}, or an `Error`, with words for the
   * person who deploys the module.
   *
   * @param config the settings, read as their definitions say
   * @param given every setting that the pipeline gives, as it is written there
   */
  init(config: Config<S>, given: ReadonlyMap<string, string>): Instance;
}

/** A module that was started: what it will use, and the function. */
export interface Instance {
  /** Names that records are sent to, at least one; records that name none go to the first. By default `["out"]`. */
  readonly routes?: readonly string[];
  /** Columns that are read; one that is not read is not copied in, and empty. By default all. */
  readonly reads?: readonly Reads[];
  /**
   * Transforms a batch: rows of one topic-partition in offset order. It is not to be async.
   *
   * @throws {RetryError} when the whole batch is to come again
   * @throws {FatalError} when the pipeline is to stop
   */
  transform(batch: Batch, out: Output): void;
}

/** A column of a batch: {@link Row.key}, {@link Row.value}, {@link Row.headers}, {@link Row.offset}, {@link Row.timestamp}. */
export type Reads = "keys" | "values" | "headers" | "offsets" | "timestamps";

/** Settings by name. */
export interface Settings {
  readonly [name: string]: Setting;
}

/** A setting. Without `required` or a `default` it may be left out. */
export type Setting = SettingOf<"text", string> | SettingOf<"number", number> | SettingOf<"boolean", boolean> | SettingOf<"list", readonly string[]>;

/** @hidden */
export interface SettingOf<Name extends string, T> {
  /** What it is for, in a few words. */
  readonly summary?: string;
  /** How its text is read. `list`: parts between commas, trimmed, without empty ones. By default `text`. */
  readonly type?: Name;
  /** What holds where a pipeline does not say it. */
  readonly default?: T;
  /** Every pipeline must say it. */
  readonly required?: boolean;
}

/** What `init` is given: a setting with a default, a required one and a list are always there, others may be `undefined`. */
export type Config<S extends Settings> = { readonly [Name in keyof S]: Configured<S[Name]> };

type Configured<S extends Setting> = S extends { readonly required: true } | { readonly default: unknown } | { readonly type: "list" } ? Read<S> : Read<S> | undefined;

type Read<S extends Setting> = S extends { readonly type: "number" } ? number : S extends { readonly type: "boolean" } ? boolean : S extends { readonly type: "list" } ? readonly string[] : string;

/** Rows of one topic-partition, in offset order. `for (const row of batch)` goes through them. */
export interface Batch extends Iterable<Row> {
  /** The topic that the rows come from. */
  readonly topic: string;
  /** The partition that the rows come from. */
  readonly partition: number;
  /** 0 at the first try, then one more for each retry of this batch. */
  readonly attempt: number;
  /** Number of rows: 0 (in the call that tries a module out) to 10,000. */
  readonly length: number;
  /** A row by its number. */
  row(index: number): Row;
}

/**
 * One record. A column that the instance does not read is empty: key and value are then `null`, offset and timestamp 0, and
 * there are no headers.
 */
export interface Row {
  /** Its number in the batch, from 0. */
  readonly index: number;
  /** `null` is Kafka's null, which is not the same as empty. A view: nothing is copied. */
  readonly key: Uint8Array | null;
  /** `null` is Kafka's null: a tombstone. A view: nothing is copied. */
  readonly value: Uint8Array | null;
  /**
   * The key as text.
   * @throws {TypeError} `not UTF-8`
   */
  keyText(): string | null;
  /**
   * The value as text: the batch is decoded once, and rows are slices of it.
   * @throws {TypeError} `not UTF-8`
   */
  text(): string | null;
  /**
   * The value as `JSON.parse` reads it; `null` where it is null.
   * @throws {SyntaxError} it is not JSON
   * @throws {TypeError} `not UTF-8`
   */
  json<T = any>(): T;
  /** Offset in the partition. */
  readonly offset: bigint;
  /** Milliseconds since the Unix epoch: `new Date(row.timestamp)`. */
  readonly timestamp: number;
  /** The headers, in order; a name may come more than once. */
  readonly headers: Header[];
  /** Value of the last header of that name, as Kafka's own clients look it up; `undefined` where there is none. */
  header(name: string): Uint8Array | null | undefined;
}

/** One header of a record. */
export interface Header {
  /** @throws {TypeError} `not UTF-8`: it is by convention, not by Kafka's protocol. */
  readonly name: string;
  readonly nameBytes: Uint8Array;
  /** `null` is Kafka's null. */
  readonly value: Uint8Array | null;
  /**
   * The value as text.
   * @throws {TypeError} `not UTF-8`
   */
  text(): string | null;
}

/**
 * The records that come out of a batch, and the rows that are rejected.
 *
 * Keeping an earlier row after a later one, or keeping and rejecting a row, is a mistake in the module (rejecting the row that
 * was kept last is none): the call then ends as a {@link FatalError}, with words that name the rows.
 */
export interface Output {
  /** Sends a row on. What is not set on the answer stays the row's own. */
  keep(row: Row): Sent;
  /** Sends every row on as it is: the cheapest there is. */
  keepAll(): void;
  /** Sends a row to the pipeline's dead letters. Records that this row was kept for are taken back. */
  reject(row: Row, reason: string): void;
  /** Number of records so far. */
  readonly length: number;
}

/**
 * A record on its way out: what is set here replaces what the row has.
 *
 * Headers, timestamps and versions are columns that are whole or not there: once one record of a batch sets its own, the
 * others' cross back as well. So a module that sets headers reads headers (or calls {@link noHeaders} on every record), one that
 * sets timestamps reads timestamps (or sets every record's), and where one record has a version the others have 0.
 */
export interface Sent {
  /**
   * Sends it to another route than the first.
   * @throws {RangeError} `init` named no such route
   */
  route(name: string): this;
  /** Sets the key; `null` takes it away. */
  key(key: string | Uint8Array | null): this;
  /** Sets the value; `null` makes it a tombstone: a sink removes what the key names. Texts of a batch are encoded together. */
  value(value: string | Uint8Array | null): this;
  /** Sets the value to what `JSON.stringify` makes of it. */
  json(value: unknown): this;
  /** Adds a header after those that it has. */
  header(name: string | Uint8Array, value: string | Uint8Array | null): this;
  /** Takes all headers away; {@link header} may add new ones. */
  noHeaders(): this;
  /** Sets the timestamp, in milliseconds since the Unix epoch. */
  timestamp(timestamp: number | bigint | Date): this;
  /** Says where inside the sink: topic, index or key. */
  target(target: string): this;
  /** Says what the sink is to do. Unsaid: put, or delete where the value is null. */
  op(op: Op): this;
  /** For sinks that keep the newest: a number that grows with each change of the same key. */
  version(version: number | bigint): this;
}

/**
 * What a sink is to do with a record; Kafka knows only put and delete (a tombstone).
 * - `put`: write, replacing what is there: Elasticsearch index, Redis SET or HSET
 * - `create`: write only if nothing is there: Elasticsearch create, Redis SET NX
 * - `merge`: merge into what is there: Elasticsearch update with doc-as-upsert, Redis HSET of the given fields
 * - `delete`: remove
 */
export type Op = "put" | "create" | "merge" | "delete";

/** Thrown by `transform`: the same batch again after a back-off, within the pipeline's limit of retries. */
export class RetryError extends Error {}

/** Thrown by `transform`: stop the pipeline, a person has to look. */
export class FatalError extends Error {}

/** Thrown by `init`: the release is refused with its message. */
export class ConfigError extends Error {}

/**
 * Log lines: shown by `wasmill logs`, with the pipeline and the release. Bounded by the host in number and length. `console`
 * writes to the same place, `console.log` as `info`. Outside a host they go to standard error.
 */
export const log: {
  /** Chatter for whoever writes the module. */
  trace(...parts: unknown[]): void;
  /** Detail for whoever looks for a fault. */
  debug(...parts: unknown[]): void;
  /** News. */
  info(...parts: unknown[]): void;
  /** Somebody should know. */
  warn(...parts: unknown[]): void;
  /** Somebody should act. */
  error(...parts: unknown[]): void;
};

/**
 * A module's own metrics: shown by the host with its names in front, `[a-z0-9_]{1,64}`, at most 64 of an instance. Outside a host
 * they go nowhere.
 */
export const metrics: {
  /** Adds to a counter: a whole number, by default 1. */
  count(name: string, by?: number | bigint): void;
  /** Notes a value of which the distribution matters. */
  observe(name: string, value: number): void;
};
