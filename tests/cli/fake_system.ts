import type { Platform, System } from "../../src/cli/system.ts";
import { InputMemory } from "../../src/cli/input_memory.ts";
import type { SignalHold } from "../../src/keystore/types.ts";
import { FakeKeystore } from "../keystore/fake_keystore.ts";

/** Initial state of a {@link FakeSystem}. */
export interface FakeSystemOptions {
  readonly platform?: Platform;
  readonly variables?: Readonly<Record<string, string>>;
  readonly keystore?: FakeKeystore;
  /** Home directory; unknown if absent. */
  readonly home?: string;
}

/** System in memory that records its output. */
export class FakeSystem implements System {
  readonly platform: Platform;
  readonly architecture = "x86_64";
  readonly registry: System["registry"];
  readonly written: (string | Uint8Array)[] = [];
  readonly logged: string[] = [];
  readonly inputs = new InputMemory({
    takeVariable: (name) => {
      const value = this.environment(name);
      return value === undefined ? undefined : new TextEncoder().encode(value);
    },
    readDescriptor: () => Promise.reject(new Error("no descriptor")),
  });
  readonly #variables: Readonly<Record<string, string>>;
  readonly #home: string | undefined;

  constructor({ platform = "linux", variables = {}, keystore, home }: FakeSystemOptions = {}) {
    this.platform = platform;
    this.#home = home;
    this.registry = (keystore ?? new FakeKeystore({})).registry;
    this.#variables = variables;
  }

  environment(name: string): string | undefined {
    return this.#variables[name];
  }

  environmentNames(): readonly string[] {
    return Object.keys(this.#variables);
  }

  programPath(): string {
    return "/usr/bin/aws_signing_helper";
  }

  currentDirectory(): string {
    return "/current";
  }

  homeDirectory(): string | undefined {
    return this.#home;
  }

  hostName(): string {
    return "machine";
  }

  write(output: string | Uint8Array): void {
    this.written.push(output);
  }

  log(message: string): void {
    this.logged.push(message);
  }

  announce(line: string): void {
    this.logged.push(line);
  }

  prompt(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  now(): Date {
    return new Date("2026-01-02T03:04:05Z");
  }

  monotonic(): number {
    return 0;
  }

  sleep(): Promise<void> {
    return Promise.resolve();
  }

  random(): number {
    return 0.5;
  }

  holdSignals(): SignalHold {
    return { signal: new AbortController().signal, [Symbol.dispose]() {} };
  }

  onHangup(): Disposable {
    return { [Symbol.dispose]() {} };
  }

  protectMemory(): Promise<boolean> {
    return Promise.resolve(true);
  }

  stay(): Promise<void> {
    return Promise.resolve();
  }
}
