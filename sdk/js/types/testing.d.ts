/**
 * Try a module with Node alone, without a host: records in, records out.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { test } from "node:test";
 * import { run } from "@wasmill/sdk/testing";
 * import module from "../src/module.js";
 *
 * test("drops what it is told to", () => {
 *   const { records } = run(module, [{ value: { level: "info" } }, { value: { level: "debug" } }]);
 *   assert.deepEqual(records.map((record) => record.json()), [{ level: "info" }]);
 * });
 * ```
 *
 * @packageDocumentation
 */

import type { ModuleDefinition, Op, Reads } from "./index.js";

/** A record to be given to a module. Anything but text and bytes becomes JSON. */
export interface TestRecord {
  readonly key?: string | Uint8Array | null;
  readonly value?: string | Uint8Array | null | object | number | boolean;
  readonly headers?: readonly (readonly [name: string | Uint8Array, value: string | Uint8Array | null])[];
  /** Milliseconds since the Unix epoch; by default 0. */
  readonly timestamp?: number | bigint;
  /** By default those of one batch after another, from 0. */
  readonly offset?: number | bigint;
}

/** A record that came out, with what it kept of its row filled in. */
export interface SentRecord {
  /** Number of the record that it came from. */
  readonly row: number;
  readonly route: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, value: Uint8Array | null])[];
  readonly timestamp: number;
  readonly target: string | undefined;
  /** Where any record of the batch says one. */
  readonly op: Op | undefined;
  /** Where any record of the batch says one. */
  readonly version: bigint | undefined;
  keyText(): string | null;
  text(): string | null;
  json<T = any>(): T;
}

/** What a module answered. */
export interface Done {
  readonly records: readonly SentRecord[];
  /** In order of rows. */
  readonly rejects: readonly { readonly row: number; readonly reason: string }[];
  /** The columns that crossed back, for those who count copies; rows always do. */
  readonly columns: readonly string[];
}

/** A module that was started. */
export interface Started {
  describe(): { name: string; version: string; summary: string; settings: { name: string; summary: string; default: string | undefined; required: boolean }[] };
  readonly plan: { readonly routes: readonly string[]; readonly reads: readonly Reads[] };
  /**
   * Gives the instance a batch. Columns that it does not read are empty, as they are in the host.
   * @throws what `transform` throws
   */
  run(records: readonly TestRecord[], batch?: { topic?: string; partition?: number; attempt?: number }): Done;
}

/**
 * Starts a module with settings.
 * @throws {Error} the words with which it refuses them
 */
export function start(definition: ModuleDefinition<any>, settings?: { readonly [name: string]: string | number | boolean }): Started;

/** Starts a module and gives it one batch. */
export function run(definition: ModuleDefinition<any>, records: readonly TestRecord[], settings?: { readonly [name: string]: string | number | boolean }): Done;
