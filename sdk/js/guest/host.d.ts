/** The imports of a component: what `wit/` says, as both engines see it. */

declare module "wasmill:transform/log@0.1.0" {
  export function write(level: "trace" | "debug" | "info" | "warn" | "error", message: string): void;
}

declare module "wasmill:transform/metrics@0.1.0" {
  export function count(name: string, by: bigint): void;
  export function observe(name: string, value: number): void;
}

declare module "wasi:cli/exit@0.2.6" {
  export function exit(status: { tag: "ok" | "err"; val: undefined }): void;
}
