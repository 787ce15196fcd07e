/**
 * Keeps credentials fresh for `serve` and `update`. It fetches in the background, one call at a time, and
 * keeps the current credentials until they expire.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { checkNotExpired, type SessionCredentials } from "../../rolesanywhere/create_session.ts";
import { backoffDelay, minRenewalDelay, REFRESH_LIMITS, renewalDelay } from "./refresh_schedule.ts";

/** Injected clocks, timer and random numbers. */
export interface RefreshDeps {
  now(): Date;
  /** Milliseconds from any origin, never going back; may stop while the machine sleeps. */
  monotonic(): number;
  /** Returns a number from 0 to 1, 1 excluded. */
  random(): number;
  /** Calls back once after the delay, milliseconds; returns a function that cancels it. */
  startTimer(milliseconds: number, callback: () => void): () => void;
}

/** Event of the refresher. */
export type RefreshEvent =
  /** New credentials, and the time of their renewal. */
  | {
    readonly kind: "refreshed";
    readonly credentials: SessionCredentials;
    readonly nextRefresh: Date;
  }
  /** An attempt failed. `failures` counts those in a row. */
  | {
    readonly kind: "failed";
    readonly error: HelperError;
    readonly failures: number;
    readonly nextAttempt: Date;
    /** The credentials that are still valid, if any. */
    readonly credentials: SessionCredentials | undefined;
  }
  /** The last credentials have expired without replacement. */
  | { readonly kind: "expired" }
  /** The wall clock moved against the monotonic one, or the machine slept; milliseconds. */
  | { readonly kind: "clock-jump"; readonly by: number };

/** State of the refresher. */
export interface RefreshState {
  /** Time of the last successful fetch. */
  readonly lastRefresh: Date | undefined;
  /** Error of the last attempt, if it failed. */
  readonly lastError: HelperError | undefined;
  readonly failures: number;
}

/** Maximum time between two checks of the clocks, milliseconds. */
const MAX_WAIT = 30_000;
/** Minimum difference of the clocks within one wait that counts as a jump, milliseconds. */
const JUMP = 10_000;

/** Time on both clocks; the earlier one counts. */
interface Deadline {
  readonly wall: number;
  readonly monotonic: number;
}

/** Background refresher. Created by {@link Refresher.start}. */
export class Refresher {
  #credentials: SessionCredentials | undefined;
  /** Expiry of the credentials. Setting the clock back must not extend it. */
  #end: Deadline = { wall: 0, monotonic: 0 };
  #state: RefreshState = { lastRefresh: undefined, lastError: undefined, failures: 0 };
  #due: Deadline = { wall: 0, monotonic: 0 };
  #cancelTimer: () => void = () => {};
  #inFlight: Promise<void> | undefined;
  #stopped = false;
  /** True without credentials: they cannot expire. */
  #expiryReported = true;
  #refreshes = 0;
  #shortSessions = 0;

  private constructor(
    private readonly fetch: () => Promise<SessionCredentials>,
    private readonly deps: RefreshDeps,
    private readonly onEvent: (event: RefreshEvent) => void,
  ) {}

  /**
   * Fetches the first credentials and then keeps them fresh. `fetch` must throw `HelperError`s.
   *
   * Throws the error of the first fetch, and `session-expired`; then nothing runs.
   */
  static async start(
    fetch: () => Promise<SessionCredentials>,
    deps: RefreshDeps,
    onEvent: (event: RefreshEvent) => void,
  ): Promise<Refresher> {
    const refresher = new Refresher(fetch, deps, onEvent);
    refresher.#accept(checkNotExpired(await fetch(), deps.now()));
    return refresher;
  }

  /**
   * Tries to fetch the first credentials, and then keeps them fresh. A failure is an event, and is
   * retried like later ones.
   */
  static async begin(
    fetch: () => Promise<SessionCredentials>,
    deps: RefreshDeps,
    onEvent: (event: RefreshEvent) => void,
  ): Promise<Refresher> {
    const refresher = new Refresher(fetch, deps, onEvent);
    await refresher.refresh();
    return refresher;
  }

  /** The credentials; undefined if they are not valid. */
  get credentials(): SessionCredentials | undefined {
    return this.credentialsAt(this.deps.monotonic());
  }

  /** Returns the credentials if they are valid now. `monotonic` is the current monotonic time. */
  credentialsAt(monotonic: number): SessionCredentials | undefined {
    return this.#isPast(this.#end, monotonic) ? undefined : this.#credentials;
  }

  /** Time of the last fetch, and failures since. */
  get state(): RefreshState {
    return this.#state;
  }

  /** Stops, after a running call has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    await this.#inFlight;
  }

  /** Fetches now, or joins the running call. Never throws: failures are events. */
  refresh(): Promise<void> {
    if (this.#inFlight) return this.#inFlight;
    this.#inFlight = this.#attempt().finally(() => {
      this.#inFlight = undefined;
      this.#scheduleCheck();
    });
    this.#scheduleCheck();
    return this.#inFlight;
  }

  async #attempt(): Promise<void> {
    try {
      this.#accept(checkNotExpired(await this.fetch(), this.deps.now()));
    } catch (thrown) {
      this.#reject(toHelperError(thrown));
    }
  }

  #accept(credentials: SessionCredentials): void {
    const lifetime = credentials.expiration.getTime() - this.deps.now().getTime();
    this.#credentials = credentials;
    this.#end = this.#after(lifetime);
    this.#expiryReported = false;
    this.#state = { lastRefresh: this.deps.now(), lastError: undefined, failures: 0 };
    this.#shortSessions = lifetime < REFRESH_LIMITS.shortLifetime ? this.#shortSessions + 1 : 0;
    const delay = Math.max(
      renewalDelay(lifetime, this.#refreshes++ === 0, this.deps.random()),
      minRenewalDelay(this.#shortSessions),
    );
    const nextRefresh = this.#schedule(delay);
    this.onEvent({ kind: "refreshed", credentials, nextRefresh });
    this.#scheduleCheck();
  }

  #reject(error: HelperError): void {
    const failures = this.#state.failures + 1;
    this.#state = { ...this.#state, lastError: error, failures };
    const nextAttempt = this.#schedule(backoffDelay(failures, error.code, this.deps.random()));
    this.onEvent({ kind: "failed", error, failures, nextAttempt, credentials: this.credentials });
  }

  #schedule(delay: number): Date {
    this.#due = this.#after(delay);
    return new Date(this.#due.wall);
  }

  #after(delay: number): Deadline {
    return {
      wall: this.deps.now().getTime() + delay,
      monotonic: this.deps.monotonic() + delay,
    };
  }

  #isPast(deadline: Deadline, monotonic = this.deps.monotonic()): boolean {
    return this.deps.now().getTime() >= deadline.wall || monotonic >= deadline.monotonic;
  }

  /** Sets the timer for the next check of the clocks. During a call, credentials can expire, too. */
  #scheduleCheck(): void {
    this.#cancelTimer();
    if (this.#stopped) return;
    const since = this.#after(0);
    const deadlines: Deadline[] = [];
    if (!this.#inFlight) deadlines.push(this.#due);
    if (!this.#expiryReported) deadlines.push(this.#end);
    const wait = Math.min(
      MAX_WAIT,
      ...deadlines.flatMap((
        { wall, monotonic },
      ) => [wall - since.wall, monotonic - since.monotonic]),
    );
    this.#cancelTimer = this.deps.startTimer(Math.max(0, wait), () => this.#checkClocks(since));
  }

  #checkClocks(since: Deadline): void {
    const now = this.#after(0);
    const by = now.wall - since.wall - (now.monotonic - since.monotonic);
    if (Math.abs(by) > JUMP) this.onEvent({ kind: "clock-jump", by });
    if (!this.#expiryReported && this.#isPast(this.#end)) {
      this.#expiryReported = true;
      this.onEvent({ kind: "expired" });
    }
    if (!this.#inFlight && this.#isPast(this.#due)) void this.refresh();
    else this.#scheduleCheck();
  }
}

function toHelperError(thrown: unknown): HelperError {
  return thrown instanceof HelperError ? thrown : new HelperError(
    "internal",
    "an unexpected failure in the program; please report it with the command that was run",
    { cause: thrown },
  );
}
