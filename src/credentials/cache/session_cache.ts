/**
 * Cache of sessions between runs: concurrent runs share one CreateSession call.
 *
 * @module
 */
import { join } from "../../path.ts";
import { messageOf } from "../../errors.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import { removeLeftovers } from "../../files/atomic_file.ts";
import { directoryFault, sessionFile, sweepDirectory } from "./cache_directory.ts";
import { readEntry, writeEntry } from "./cache_entry.ts";
import { lockFile, lockPathOf, type WaitDeps } from "../../files/file_lock.ts";
import { awaitFileSystem } from "../../files/source_file.ts";
import { FilePlace } from "../../files/file_place.ts";
import { replaceDescriptors } from "../../files/file_errors.ts";
import { formatTime } from "../format_time.ts";

const MINUTE = 60_000;

/** Limits of the cache, milliseconds. */
export const CACHE_LIMITS = {
  /**
   * Minimum remaining lifetime of a used session, or half its lifetime if that is less.
   * botocore runs the program again for each API call when less than 15 minutes remain.
   */
  minRemaining: 16 * MINUTE,
  /** Maximum remaining lifetime; if more remains, the clock was set back. */
  maxRemaining: 12 * 60 * MINUTE + 5 * MINUTE,
  /** Timeout for another run that requests the same session; longer than a call takes. */
  lockWait: 45_000,
} as const;

/** Log of the cache. */
interface CacheLog {
  /** Reports to the user, even without `--debug`. */
  warn(message: string): void;
  debug(message: string): void;
}

/** Injected dependencies of the cache. */
export interface CacheDeps extends WaitDeps, CacheLog {
  now(): Date;
}

/** Location of one session. */
interface EntryLocation {
  /** For messages. */
  readonly path: string;
  readonly place: FilePlace;
  readonly key: string;
}

const NO_LOG: CacheLog = { warn: () => {}, debug: () => {} };

/** Session cache in one directory. */
export class SessionCache {
  constructor(
    private readonly directory: string,
    private readonly deps: CacheDeps,
  ) {}

  /**
   * Returns the session stored under `key`, or a new one from `vend`, which is then stored.
   *
   * On cache errors, warns and fetches without the cache. Throws the errors of `vend`.
   */
  async get(key: string, vend: () => Promise<SessionCredentials>): Promise<SessionCredentials> {
    const { directory, deps } = this;
    const path = join(directory, sessionFile(key));
    try {
      await awaitFileSystem(path, { reads: true });
    } catch (thrown) {
      return await this.#vendWithoutCache(`${directory} ${messageOf(thrown)}`, vend);
    }
    let fault = directoryFault(directory);
    if (fault) return await this.#vendWithoutCache(`${directory} ${fault}`, vend);
    let found: FilePlace;
    try {
      found = FilePlace.find(path, { makeDirectories: true, followLast: false });
    } catch (thrown) {
      return await this.#vendWithoutCache(`${directory}: ${messageOf(thrown)}`, vend);
    }
    using place = found;
    // From here on, only the resolved directory is used.
    fault = directoryFault(place.directoryPath);
    if (fault) return await this.#vendWithoutCache(`${directory} ${fault}`, vend);
    const entry = { path, place, key };
    const cached = this.#read(entry, deps);
    if (cached) return cached;
    deps.debug(`cache: miss, ${path}`);
    let lock: Disposable | undefined;
    try {
      const lockPath = lockPathOf(place.path());
      lock = await lockFile(lockPath, CACHE_LIMITS.lockWait, deps, lockPathOf(path));
    } catch (thrown) {
      const why = replaceDescriptors(messageOf(thrown), directory);
      return await this.#vendWithoutCache(`${directory}: ${why}`, vend);
    }
    using _held = lock;
    if (!lock) {
      deps.warn(
        `another process has been fetching this session for ${CACHE_LIMITS.lockWait / 1000} s; ` +
          "continuing without the cache",
      );
      return await vend();
    }
    return this.#read(entry, NO_LOG) ?? this.#store(entry, await vend());
  }

  async #vendWithoutCache(
    why: string,
    vend: () => Promise<SessionCredentials>,
  ): Promise<SessionCredentials> {
    this.deps.warn(`the cache is not used: ${why}`);
    return await vend();
  }

  /** Returns the stored session if it may be used. Logs to `log` why it may not. */
  #read({ path, place, key }: EntryLocation, log: CacheLog): SessionCredentials | undefined {
    const entry = readEntry(place.path(), key);
    if (entry.kind === "unusable") log.warn(`${path} ${entry.why}; it is not used`);
    if (entry.kind !== "session") return undefined;
    const { fetched, credentials: { expiration } } = entry;
    const remaining = expiration.getTime() - this.deps.now().getTime();
    const needed = minRemaining(expiration.getTime() - fetched.getTime());
    if (remaining <= needed || remaining > CACHE_LIMITS.maxRemaining) {
      log.debug(`cache: the session in ${path} expires at ${formatTime(expiration)}`);
      return undefined;
    }
    this.deps.debug(`cache: hit, ${path} until ${formatTime(expiration)}`);
    return entry.credentials;
  }

  /** Stores the session, replacing an existing entry. */
  #store({ path, place, key }: EntryLocation, credentials: SessionCredentials): SessionCredentials {
    try {
      const fault = directoryFault(place.directoryPath);
      if (fault) throw new Error(fault);
      removeLeftovers(place.path());
      writeEntry(place.path(), key, credentials, this.deps.now());
      sweepDirectory(place.directoryPath, this.deps.now());
    } catch (thrown) {
      const why = replaceDescriptors(messageOf(thrown), this.directory);
      this.deps.warn(`the session cannot be stored in ${path}: ${why}`);
    }
    return credentials;
  }
}

/** Returns the minimum remaining lifetime of a session of this lifetime, milliseconds. */
function minRemaining(lifetime: number): number {
  // NaN for an entry of an earlier version, negative if the clock was wrong.
  return lifetime > 0
    ? Math.min(CACHE_LIMITS.minRemaining, lifetime / 2)
    : CACHE_LIMITS.minRemaining;
}
