/**
 * Keeps credentials fresh: the one engine of `serve` and `update`. It fetches in the background, one
 * call at a time, and keeps what it has until that expires.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import { type SessionCredentials, unexpired } from "../../rolesanywhere/create_session.ts";
import { backoffDelay, REFRESH_LIMITS, renewalDelay, shortestDelay } from "./refresh_schedule.ts";

/** The clocks and the chance that the engine runs by. */
export interface RefreshDeps {
  now(): Date;
  /** Milliseconds from any origin, never going back; may stand still while the machine sleeps. */
  monotonic(): number;
  /** 0 to 1, 1 excluded. */
  random(): number;
  /** Calls back once after the delay, milliseconds; gives what cancels it. */
  startTimer(milliseconds: number, then: () => void): () => void;
}

/** What the engine tells. */
export type RefreshEvent =
  /** New credentials, and when they will be renewed. */
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
    /** What is still valid, if anything is. */
    readonly credentials: SessionCredentials | undefined;
  }
  /** The last credentials have expired and nothing has replaced them. */
  | { readonly kind: "expired" }
  /** The wall clock moved against the steady one, or the machine slept; milliseconds. */
  | { readonly kind: "clock-jump"; readonly by: number };

/** What is known at a moment. */
export interface RefreshState {
  /** When the last credentials were fetched. */
  readonly lastRefresh: Date | undefined;
  /** The error of the last attempt, if that failed. */
  readonly lastError: HelperError | undefined;
  readonly failures: number;
}

/** No longer than this passes without a look at the clocks, milliseconds. */
const MAX_WAIT = 30_000;
/** Clocks that drift apart by less within one wait do so by themselves, milliseconds. */
const JUMP = 10_000;

/** A time on both clocks: whichever comes first counts. */
interface Deadline {
  readonly wall: number;
  readonly monotonic: number;
}

/** The engine. Made by {@link Refresher.start}. */
export class Refresher {
  #credentials: SessionCredentials | undefined;
  /** When they end. A clock that is set back must not make them last longer. */
  #end: Deadline = { wall: 0, monotonic: 0 };
  /** Whether they were over when the clocks were last looked at, and when that was. */
  #ended = false;
  #looked = -Infinity;
  #state: RefreshState = { lastRefresh: undefined, lastError: undefined, failures: 0 };
  #due: Deadline = { wall: 0, monotonic: 0 };
  #cancelTimer: () => void = () => {};
  #inFlight: Promise<void> | undefined;
  #stopped = false;
  #toldExpired = false;
  #refreshes = 0;
  #shortSessions = 0;

  private constructor(
    private readonly fetch: () => Promise<SessionCredentials>,
    private readonly deps: RefreshDeps,
    private readonly tell: (event: RefreshEvent) => void,
  ) {}

  /**
   * Fetches the first credentials and then keeps them fresh. `fetch` must throw `HelperError`s.
   *
   * Throws what the first fetch throws, and `session-expired`; nothing runs then.
   */
  static async start(
    fetch: () => Promise<SessionCredentials>,
    deps: RefreshDeps,
    tell: (event: RefreshEvent) => void,
  ): Promise<Refresher> {
    const refresher = new Refresher(fetch, deps, tell);
    refresher.#accept(unexpired(await fetch(), deps.now()));
    return refresher;
  }

  /** The credentials, while they are valid. */
  get credentials(): SessionCredentials | undefined {
    return this.credentialsAt(this.deps.monotonic());
  }

  /** The credentials, if they are valid now, for who has just read the steady clock. */
  credentialsAt(monotonic: number): SessionCredentials | undefined {
    // Many ask in one millisecond, and the wall clock costs as much to read as all the rest.
    if (monotonic - this.#looked >= 1) {
      this.#looked = monotonic;
      this.#ended = this.#isPast(this.#end, monotonic);
    }
    return this.#ended ? undefined : this.#credentials;
  }

  /** When credentials were last fetched, and what has failed since. */
  get state(): RefreshState {
    return this.#state;
  }

  /** Ends the engine; a call under way is waited for. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelTimer();
    await this.#inFlight;
  }

  /** Fetches now, or joins the call that is under way. Never throws: failures are told. */
  refresh(): Promise<void> {
    this.#inFlight ??= this.#attempt().finally(() => {
      this.#inFlight = undefined;
      this.#wait();
    });
    return this.#inFlight;
  }

  async #attempt(): Promise<void> {
    this.#cancelTimer();
    try {
      this.#accept(unexpired(await this.fetch(), this.deps.now()));
    } catch (thrown) {
      this.#reject(asHelperError(thrown));
    }
  }

  #accept(credentials: SessionCredentials): void {
    const life = credentials.expiration.getTime() - this.deps.now().getTime();
    this.#credentials = credentials;
    this.#end = this.#after(life);
    this.#looked = -Infinity;
    this.#toldExpired = false;
    this.#state = { lastRefresh: this.deps.now(), lastError: undefined, failures: 0 };
    this.#shortSessions = life < REFRESH_LIMITS.shortLife ? this.#shortSessions + 1 : 0;
    const delay = Math.max(
      renewalDelay(life, this.#refreshes++ === 0, this.deps.random()),
      shortestDelay(this.#shortSessions),
    );
    const nextRefresh = this.#schedule(delay);
    this.tell({ kind: "refreshed", credentials, nextRefresh });
    this.#wait();
  }

  #reject(error: HelperError): void {
    const failures = this.#state.failures + 1;
    this.#state = { ...this.#state, lastError: error, failures };
    const nextAttempt = this.#schedule(backoffDelay(failures, error.code, this.deps.random()));
    this.tell({ kind: "failed", error, failures, nextAttempt, credentials: this.credentials });
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

  /** Sets the timer for the next look at the clocks. */
  #wait(): void {
    this.#cancelTimer();
    if (this.#stopped || this.#inFlight) return;
    const since = this.#after(0);
    const deadlines = this.#toldExpired ? [this.#due] : [this.#due, this.#end];
    const wait = Math.min(
      MAX_WAIT,
      ...deadlines.flatMap((
        { wall, monotonic },
      ) => [wall - since.wall, monotonic - since.monotonic]),
    );
    this.#cancelTimer = this.deps.startTimer(Math.max(0, wait), () => this.#look(since));
  }

  #look(since: Deadline): void {
    const now = this.#after(0);
    const by = now.wall - since.wall - (now.monotonic - since.monotonic);
    if (Math.abs(by) > JUMP) this.tell({ kind: "clock-jump", by });
    if (!this.#toldExpired && this.#isPast(this.#end)) {
      this.#toldExpired = true;
      this.tell({ kind: "expired" });
    }
    if (this.#isPast(this.#due)) void this.refresh();
    else this.#wait();
  }
}

function asHelperError(thrown: unknown): HelperError {
  return thrown instanceof HelperError ? thrown : new HelperError(
    "internal",
    "an unexpected failure in the program; please report it with the command that was run",
    { cause: thrown },
  );
}
