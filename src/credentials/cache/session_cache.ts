/**
 * Sessions that are kept between runs: many runs at once make one CreateSession call.
 *
 * @module
 */
import { join } from "node:path";
import { messageOf } from "../../errors.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import { removeLeftovers } from "../../files/atomic_file.ts";
import { directoryFault, sessionFile, sweepDirectory } from "./cache_directory.ts";
import { readEntry, writeEntry } from "./cache_entry.ts";
import { lockFile, lockPathOf, type Waiting } from "../../files/file_lock.ts";
import { FilePlace } from "../../files/file_place.ts";
import { withoutDescriptors } from "../../files/file_errors.ts";
import { formatTime } from "../refresh/session.ts";

const MINUTE = 60_000;

/** Distances in time, milliseconds. */
export const CACHE_LIMITS = {
  /**
   * A session is used while more than this remains, or more than half its lifetime if that is less.
   * botocore runs the program again for each API call when less than 15 minutes remain.
   */
  minRemaining: 16 * MINUTE,
  /** No session lasts longer: the clock has been set back. */
  maxRemaining: 12 * 60 * MINUTE + 5 * MINUTE,
  /** How long a run waits for another that asks for the same session; longer than a call takes. */
  lockWait: 45_000,
} as const;

/** Whom the cache tells. */
interface Words {
  /** The user, even without `--debug`. */
  warn(words: string): void;
  debug(words: string): void;
}

/** What the cache touches. */
export interface CacheDeps extends Waiting, Words {
  now(): Date;
}

/** The place of one session. */
interface Kept {
  /** For messages. */
  readonly path: string;
  readonly place: FilePlace;
  readonly key: string;
}

const QUIET: Words = { warn: () => {}, debug: () => {} };

/** The cache of one directory. */
export class SessionCache {
  constructor(
    private readonly directory: string,
    private readonly deps: CacheDeps,
  ) {}

  /**
   * The session that is kept under `key`, or the one that `vend` gives, which is kept then.
   *
   * What cannot be read or written is told and does without the cache. Throws what `vend` throws.
   */
  async get(key: string, vend: () => Promise<SessionCredentials>): Promise<SessionCredentials> {
    const { directory, deps } = this;
    const path = join(directory, sessionFile(key));
    let fault = directoryFault(directory);
    if (fault) return await this.#without(`${directory} ${fault}`, vend);
    let found: FilePlace;
    try {
      found = FilePlace.find(path, { makeDirectories: true, followLast: false });
    } catch (thrown) {
      return await this.#without(`${directory}: ${messageOf(thrown)}`, vend);
    }
    using place = found;
    // From here on only the directory that was found is used.
    fault = directoryFault(place.directoryPath);
    if (fault) return await this.#without(`${directory} ${fault}`, vend);
    const entry = { path, place, key };
    const kept = this.#read(entry, deps);
    if (kept) return kept;
    deps.debug(`cache: miss, ${path}`);
    let lock: Disposable | undefined;
    try {
      const lockPath = lockPathOf(place.path());
      lock = await lockFile(lockPath, CACHE_LIMITS.lockWait, deps, lockPathOf(path));
    } catch (thrown) {
      const why = withoutDescriptors(messageOf(thrown), directory);
      return await this.#without(`${directory}: ${why}`, vend);
    }
    using _held = lock;
    if (!lock) {
      deps.warn(
        `another run has asked for this session for ${CACHE_LIMITS.lockWait / 1000} s ` +
          "and holds the cache; going on without it",
      );
      return await vend();
    }
    return this.#read(entry, QUIET) ?? this.#keep(entry, await vend());
  }

  async #without(
    why: string,
    vend: () => Promise<SessionCredentials>,
  ): Promise<SessionCredentials> {
    this.deps.warn(`the cache is not used: ${why}`);
    return await vend();
  }

  /** A session that is kept and may be used. `words` hear why another is not. */
  #read({ path, place, key }: Kept, words: Words): SessionCredentials | undefined {
    const entry = readEntry(place.path(), key);
    if (entry.kind === "unusable") words.warn(`${path} ${entry.why}; it is not used`);
    if (entry.kind !== "session") return undefined;
    const { fetched, credentials: { expiration } } = entry;
    const remaining = expiration.getTime() - this.deps.now().getTime();
    const needed = minRemaining(expiration.getTime() - fetched.getTime());
    if (remaining <= needed || remaining > CACHE_LIMITS.maxRemaining) {
      words.debug(`cache: the session in ${path} ends at ${formatTime(expiration)}`);
      return undefined;
    }
    this.deps.debug(`cache: hit, ${path} until ${formatTime(expiration)}`);
    return entry.credentials;
  }

  /** Keeps the session; whatever stood in its place was this user's to replace. */
  #keep({ path, place, key }: Kept, credentials: SessionCredentials): SessionCredentials {
    try {
      const fault = directoryFault(place.directoryPath);
      if (fault) throw new Error(fault);
      removeLeftovers(place.path());
      writeEntry(place.path(), key, credentials, this.deps.now());
      sweepDirectory(place.directoryPath, this.deps.now());
    } catch (thrown) {
      const why = withoutDescriptors(messageOf(thrown), this.directory);
      this.deps.warn(`the session could not be kept in ${path}: ${why}`);
    }
    return credentials;
  }
}

/** Returns how much of a session of this lifetime must remain for its use, milliseconds. */
function minRemaining(lifetime: number): number {
  // NaN in an entry of an earlier version, negative if the clock was wrong.
  return lifetime > 0
    ? Math.min(CACHE_LIMITS.minRemaining, lifetime / 2)
    : CACHE_LIMITS.minRemaining;
}
