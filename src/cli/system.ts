/**
 * Interface to everything outside the program, so that tests can run commands as a user does.
 *
 * @module
 */
import type { KeystoreRegistry } from "../keystore/registry.ts";
import type { SignalHold } from "../keystore/types.ts";
import type { Platform } from "../keystore/uri.ts";
import type { InputMemory } from "./input_memory.ts";

export type { Platform };

/** The environment of one run. */
export interface System {
  readonly platform: Platform;
  readonly architecture: string;
  readonly registry: KeystoreRegistry;
  /** Returns an environment variable. */
  environment(name: string): string | undefined;
  /** Returns the names of all environment variables. */
  environmentNames(): readonly string[];
  /** Keys and certificates from variables and descriptors. */
  readonly inputs: InputMemory;
  /** Returns the path of the running program. */
  programPath(): string;
  /** Returns the directory that relative paths start from. */
  currentDirectory(): string;
  /** Returns the user's home directory, or undefined if it is unknown. */
  homeDirectory(): string | undefined;
  /** Returns the machine's host name. */
  hostName(): string;
  /** Writes to standard output. */
  write(output: string | Uint8Array): void;
  /** Writes one line to standard error. Never throws. */
  log(message: string): void;
  /** Writes one line with a secret that the user asked for to standard error. Never throws. */
  announce(line: string): void;
  /** Prompts on the controlling terminal without echo. Returns undefined if there is none. */
  prompt(question: string): Promise<string | undefined>;
  now(): Date;
  /** Returns milliseconds since any origin. Never decreases. */
  monotonic(): number;
  sleep(milliseconds: number): Promise<void>;
  /** Returns a number from 0 up to, but not including, 1. */
  random(): number;
  /** Keeps termination signals from ending the process; see `KeystoreContext`. */
  holdSignals(): SignalHold;
  /** Calls back at each SIGHUP, which then does not end the process, until it is disposed of. */
  onHangup(callback: () => void): Disposable;
  /** Excludes this process's memory from core dumps. Returns false if the system refuses. */
  protectMemory(): Promise<boolean>;
  /** Prepares for a long-running command: `log` never blocks, and unused signals are ignored. */
  stay(): Promise<void>;
}
