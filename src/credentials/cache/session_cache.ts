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
import { type CacheEntry, readEntry, READS_IN_THREAD, writeEntry } from "./cache_entry.ts";
import { lockFile, lockPathOf, type WaitDeps } from "../../files/file_lock.ts";
import { awaitFileSystem } from "../../files/source_file.ts";
import { FilePlace } from "../../files/file_place.ts";
import { errnoOf } from "../../files/errno.ts";
import { replaceDescriptors, systemReason } from "../../files/file_errors.ts";
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

/** The cache cannot be used. The message continues a sentence. */
class UnusableCacheError extends Error {}

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
    try {
      return await this.#readOrStore(key, vend);
    } catch (thrown) {
      if (!(thrown instanceof UnusableCacheError)) throw thrown;
      this.deps.warn(`the cache is not used: ${thrown.message}`);
      return await vend();
    }
  }

  /** Returns a session as {@link get} does. Throws {@link UnusableCacheError}. */
  async #readOrStore(
    key: string,
    vend: () => Promise<SessionCredentials>,
  ): Promise<SessionCredentials> {
    const { directory, deps } = this;
    const path = join(directory, sessionFile(key));
    try {
      await awaitFileSystem(path, { reads: !READS_IN_THREAD });
    } catch (thrown) {
      throw new UnusableCacheError(`${directory} ${messageOf(thrown)}`);
    }
    refuseFault(directory, directory);
    using place = this.#findPlace(path);
    // From here on, only the resolved directory is used.
    refuseFault(directory, place.directoryPath);
    const entry = { path, place, key };
    const cached = await this.#read(entry, deps);
    if (cached) return cached;
    deps.debug(`cache: miss, ${path}`);
    using lock = await this.#lock(entry);
    if (!lock) {
      deps.warn(
        `another process has been fetching this session for ${CACHE_LIMITS.lockWait / 1000} s; ` +
          "continuing without the cache",
      );
      return await vend();
    }
    return await this.#read(entry, NO_LOG) ?? this.#store(entry, await vend());
  }

  #findPlace(path: string): FilePlace {
    try {
      return FilePlace.find(path, { makeDirectories: true, followLast: false });
    } catch (thrown) {
      throw new UnusableCacheError(`${this.directory}: ${messageOf(thrown)}`);
    }
  }

  async #lock({ path, place }: EntryLocation): Promise<Disposable | undefined> {
    try {
      const lockPath = lockPathOf(place.path());
      return await lockFile(lockPath, CACHE_LIMITS.lockWait, this.deps, lockPathOf(path));
    } catch (thrown) {
      const why = replaceDescriptors(messageOf(thrown), this.directory);
      throw new UnusableCacheError(`${this.directory}: ${why}`);
    }
  }

  /**
   * Returns the stored session if it may be used. Logs to `log` why it may not. Throws
   * {@link UnusableCacheError} if the file system does not respond.
   */
  async #read(
    { path, place, key }: EntryLocation,
    log: CacheLog,
  ): Promise<SessionCredentials | undefined> {
    let entry: CacheEntry;
    try {
      entry = await readEntry(place.path(), key);
    } catch (thrown) {
      throw new UnusableCacheError(`${this.directory} ${messageOf(thrown)}`);
    }
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
      this.deps.warn(`the session cannot be stored in ${path}: ${this.#reason(thrown, path)}`);
    }
    return credentials;
  }

  /** Returns why `path` was not written, as the rest of a sentence. */
  #reason(thrown: unknown, path: string): string {
    if (errnoOf(thrown) === "EISDIR") return "it is a directory; remove it";
    return systemReason(thrown, path, this.directory) ??
      replaceDescriptors(messageOf(thrown), this.directory);
  }
}

/** Throws {@link UnusableCacheError} if the directory `at` must not be used. */
function refuseFault(directory: string, at: string): void {
  const fault = directoryFault(at);
  if (fault) throw new UnusableCacheError(`${directory} ${fault}`);
}

/** Returns the minimum remaining lifetime of a session of this lifetime, milliseconds. */
function minRemaining(lifetime: number): number {
  // NaN for an entry of an earlier version, negative if the clock was wrong.
  return lifetime > 0
    ? Math.min(CACHE_LIMITS.minRemaining, lifetime / 2)
    : CACHE_LIMITS.minRemaining;
}
