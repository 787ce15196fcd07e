/**
 * The SVID of a workload, as long as it is used. Follows the stream, opens it again, and warns of
 * an SVID that is not renewed.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import { withTimeout } from "../../src/timeout.ts";
import type { Certificate } from "../../src/x509/certificate.ts";
import { sameBytes } from "../../src/x509/public_key.ts";
import { AgentError, SVID_TIMEOUT, toHelperError } from "./errors.ts";
import { formatExpiry, type Svid, wipeKeys } from "./svid.ts";

/** Dependencies of a source. */
export interface SvidSourceDeps {
  /** Opens the stream. Ends only by throwing. */
  open(signal: AbortSignal): AsyncIterable<readonly Svid[]>;
  /** Selects the SVID. Throws `key-not-found` if it is not among them. */
  choose(svids: readonly Svid[]): Svid;
  /** Names the source in messages. */
  readonly name: string;
  now(): Date;
  info(message: string): void;
  debug(message: string): void;
}

/** Delay before the first attempt to open the stream again, milliseconds; doubles each time. */
const FIRST_DELAY = 100;
const MAX_DELAY = 30_000;
/** A stream that was open for less counts as a failure, milliseconds. */
const STABLE_STREAM = 30_000;
/** Minimum time between two messages that are processed, milliseconds. */
const MESSAGE_PAUSE = 50;
/** An SVID should be renewed when less of its lifetime is left. */
const RENEWAL_SHARE = 0.2;
/** Maximum time between two checks of the expiry: clocks change, and machines sleep; milliseconds. */
const MAX_CHECK_DELAY = 30_000;
/** Time for a new stream to bring a renewed SVID, milliseconds. */
const RENEWAL_TIMEOUT = 2_000;

type Waiter = PromiseWithResolvers<Svid>;

/** Source of one SVID. */
export class SvidSource implements AsyncDisposable {
  /** The last SVID that could be used. */
  #svid: Svid | undefined;
  #failure: HelperError | undefined;
  readonly #waiters = new Set<Waiter>();
  readonly #closing = new AbortController();
  #stream = new AbortController();
  #endDelay: () => void = () => {};
  #running: Promise<void> | undefined;
  #checkTimer: ReturnType<typeof setTimeout> | undefined;
  /** Failures in a row of streams that were not open for long. */
  #failures = 0;
  /** Failures since the last SVID. */
  #failuresSinceSvid = 0;
  #reportedFailure = false;
  #reopenedFor: Certificate | undefined;
  #warnedOf: Certificate | undefined;
  #expired: Certificate | undefined;

  constructor(private readonly deps: SvidSourceDeps) {}

  /**
   * Returns the SVID. Without a valid one it waits for the agent, at most {@link SVID_TIMEOUT}.
   *
   * Throws the agent's failure. One that is temporary is retried until the timeout.
   */
  async svid(): Promise<Svid> {
    if (this.#svid && this.#isValid(this.#svid)) return this.#svid;
    const waiter: Waiter = Promise.withResolvers();
    this.#waiters.add(waiter);
    this.#failure = undefined;
    this.#running ??= this.#run();
    // A stream that brought no newer SVID may have broken; a new one brings the current SVID.
    if (this.#svid) this.#stream.abort();
    this.#endDelay();
    try {
      return await withTimeout(waiter.promise, SVID_TIMEOUT, () => {
        throw this.#failure ?? toHelperError(new AgentError("no-response"), this.deps.name);
      });
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** Closes the stream and wipes the key. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#checkTimer);
    this.#closing.abort();
    this.#endDelay();
    await this.#running;
    if (this.#svid) wipeKeys([this.#svid]);
    this.#svid = undefined;
  }

  /** Follows streams until the source is closed. Never throws. */
  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const stream = this.#stream = new AbortController();
      const opened = performance.now();
      try {
        const signal = AbortSignal.any([this.#closing.signal, stream.signal]);
        for await (const svids of this.deps.open(signal)) {
          this.#accept(svids);
          await this.#delay(MESSAGE_PAUSE);
        }
      } catch (thrown) {
        if (this.#closing.signal.aborted) return;
        if (stream.signal.aborted) continue;
        if (performance.now() - opened > STABLE_STREAM) this.#failures = 0;
        this.#fail(thrown);
        const delay = Math.min(FIRST_DELAY * 2 ** Math.min(this.#failures, 20), MAX_DELAY);
        this.#failures++;
        await this.#delay(delay * (0.5 + Math.random() / 2));
      }
    }
  }

  #accept(svids: readonly Svid[]): void {
    let chosen: Svid;
    try {
      chosen = this.deps.choose(svids);
    } catch (thrown) {
      wipeKeys(svids);
      this.#fail(thrown);
      return;
    }
    wipeKeys(svids.filter((svid) => svid !== chosen));
    const before = this.#svid;
    if (before) wipeKeys([before]);
    const isSame = before !== undefined &&
      sameBytes(before.certificates[0].encoded, chosen.certificates[0].encoded);
    // The same object for the same certificate: the checks of its expiry compare it.
    this.#svid = isSame ? { ...chosen, certificates: before.certificates } : chosen;
    this.#failuresSinceSvid = 0;
    if (this.#reportedFailure) this.deps.info(`${this.deps.name}: the SPIFFE agent is back`);
    this.#reportedFailure = false;
    if (!isSame) {
      this.deps.debug(`spiffe: ${chosen.id}, valid until ${formatExpiry(chosen)}`);
      if (this.#warnedOf) this.deps.info(`${this.deps.name}: the SVID is renewed`);
      this.#reopenedFor = this.#warnedOf = this.#expired = undefined;
    }
    this.#checkExpiry();
    for (const { resolve } of this.#waiters) resolve(this.#svid);
  }

  /** Reports a failure: to callers that wait, and once to the user if an SVID is in use. */
  #fail(thrown: unknown): void {
    const error = this.#toError(thrown);
    const { isTemporary, detail } = thrown instanceof AgentError
      ? thrown
      : { isTemporary: false, detail: "" };
    this.deps.debug(`spiffe: ${error.message}${detail === "" ? "" : ` (${detail})`}`);
    this.#failure = error;
    if (!isTemporary) { for (const { reject } of this.#waiters) reject(error); }
    this.#failuresSinceSvid++;
    // A stream that the agent opens again at once is not reported.
    const isReported = !isTemporary || this.#failuresSinceSvid > 1;
    if (!this.#svid || !this.#isValid(this.#svid) || this.#reportedFailure || !isReported) return;
    this.#reportedFailure = true;
    this.deps.info(
      `warning: ${error.message}; the SVID from before is used until ${formatExpiry(this.#svid)}`,
    );
  }

  #isValid({ certificates: [{ notAfter }] }: Svid): boolean {
    return this.deps.now() <= notAfter;
  }

  #toError(thrown: unknown): HelperError {
    try {
      return toHelperError(thrown, this.deps.name);
    } catch (cause) {
      return new HelperError(
        "internal",
        `${this.deps.name}: an unexpected failure of the program; please report it`,
        { cause },
      );
    }
  }

  /** Warns once of an SVID that a new stream does not renew, and once of its expiry. */
  #checkExpiry(): void {
    clearTimeout(this.#checkTimer);
    if (!this.#svid || this.#closing.signal.aborted) return;
    const [certificate] = this.#svid.certificates;
    const { notBefore, notAfter } = certificate;
    const lifetime = notAfter.getTime() - notBefore.getTime();
    const remaining = notAfter.getTime() - this.deps.now().getTime();
    const checkIn = (milliseconds: number) => {
      const delay = Math.min(Math.max(milliseconds, 0), MAX_CHECK_DELAY);
      this.#checkTimer = setTimeout(() => this.#checkExpiry(), delay);
    };
    if (remaining <= 0) {
      if (this.#expired === certificate) return;
      this.#expired = this.#warnedOf = certificate;
      this.deps.info(
        `warning: ${this.deps.name}: the SVID expired at ${formatExpiry(this.#svid)} without ` +
          "renewal; check the SPIFFE agent",
      );
    } else if (remaining > lifetime * RENEWAL_SHARE) {
      checkIn(remaining - lifetime * RENEWAL_SHARE);
    } else if (this.#reopenedFor !== certificate) {
      this.#reopenedFor = certificate;
      this.#stream.abort();
      this.#endDelay();
      checkIn(Math.min(RENEWAL_TIMEOUT, remaining / 2));
    } else {
      if (this.#warnedOf !== certificate) {
        this.#warnedOf = certificate;
        this.deps.info(
          `warning: ${this.deps.name}: the SVID expires at ${
            formatExpiry(this.#svid)
          } and is not ` +
            "renewed; check the SPIFFE agent",
        );
      }
      checkIn(remaining);
    }
  }

  async #delay(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    this.#endDelay = resolve;
    await promise;
    clearTimeout(timer);
    this.#endDelay = () => {};
  }
}
