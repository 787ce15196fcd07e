/**
 * Everything a command touches outside the program, so that commands can be run in a test as they
 * run for a user.
 *
 * @module
 */
import type { KeystoreRegistry } from "../keystore/registry.ts";
import type { SignalHold } from "../keystore/types.ts";
import type { Platform } from "../keystore/uri.ts";

export type { Platform };

/** The world of one run. */
export interface System {
  readonly platform: Platform;
  readonly architecture: string;
  readonly registry: KeystoreRegistry;
  /** An environment variable. */
  environment(name: string): string | undefined;
  /** The names of all environment variables. */
  environmentNames(): readonly string[];
  /** The path of the program itself, as it was started. */
  programPath(): string;
  /** The directory that relative paths begin in. */
  currentDirectory(): string;
  /** This user's home directory; undefined when nothing tells. */
  homeDirectory(): string | undefined;
  /** The machine's name. */
  hostName(): string;
  /** Standard output, for machines. */
  write(output: string | Uint8Array): void;
  /** Standard error, for people; one line. Never throws. */
  say(words: string): void;
  /** Asks on the controlling terminal without echo; undefined when there is none. */
  prompt(question: string): Promise<string | undefined>;
  now(): Date;
  /** Milliseconds from any origin, never going back. */
  monotonic(): number;
  sleep(milliseconds: number): Promise<void>;
  /** 0 to 1, 1 excluded. */
  random(): number;
  /** Keeps SIGINT and SIGTERM from ending the process, see `KeystoreContext`. */
  holdSignals(): SignalHold;
  /** Keeps this process's memory out of core dumps. Returns false if the system refused. */
  protectMemory(): Promise<boolean>;
  /** Prepares for a command that stays: `say` never blocks, signals without a meaning do nothing. */
  stay(): Promise<void>;
}
