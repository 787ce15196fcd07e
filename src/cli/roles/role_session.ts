/**
 * Session of one role, kept fresh. It exists before the first credentials.
 *
 * @module
 */
import {
  type RefreshDeps,
  Refresher,
  type RefreshEvent,
} from "../../credentials/refresh/refresher.ts";
import type { HelperError } from "../../errors.ts";
import type { ServedCredentials } from "../../imds/documents.ts";
import type { RoleState } from "../../imds/roles.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";

/** Session of a role. */
export class RoleSession {
  /** Resolves after the first attempt, also if it failed. */
  readonly begun: Promise<void>;
  #refresher: Refresher | undefined;
  #isStopped = false;
  /** True if a newer session of the role reports events. */
  #isReplaced = false;

  /** @param previous is served until this one has credentials; it is not refreshed after the first attempt */
  constructor(
    private readonly name: string,
    fetch: () => Promise<SessionCredentials>,
    deps: RefreshDeps,
    onEvent: (event: RefreshEvent) => void,
    private previous?: RoleSession,
  ) {
    const report = (event: RefreshEvent) => {
      if (event.kind === "refreshed" && this.#refresher) this.previous = undefined;
      if (!this.#isStopped && !this.#isReplaced) onEvent(this.#withCredentials(event));
    };
    if (previous) previous.#isReplaced = true;
    this.begun = Refresher.begin(fetch, deps, report).then((refresher) => {
      this.#refresher = refresher;
      void this.previous?.stop();
      this.previous = refresher.credentials ? undefined : this.previous?.serving;
      if (this.#isStopped) void refresher.stop();
    });
  }

  /** Returns the credentials, with their fetch time, if they are valid at `now`. */
  credentials(now: number): ServedCredentials | undefined {
    const refresher = this.#refresher;
    const credentials = refresher?.credentialsAt(now);
    const fetched = refresher?.state.lastRefresh;
    return credentials && fetched ? { ...credentials, fetched } : this.previous?.credentials(now);
  }

  /** Error of the last attempt, if it failed. */
  get lastError(): HelperError | undefined {
    return this.#refresher?.state.lastError;
  }

  /** Tries again now if the last attempt failed. Never throws. */
  async retry(): Promise<void> {
    if (this.lastError) await this.#refresher?.refresh();
  }

  state(): RoleState {
    if (!this.#refresher && this.previous) return this.previous.state();
    const { lastRefresh, lastError, failures = 0 } = this.#refresher?.state ?? {};
    const before = this.previous?.state();
    return {
      name: this.name,
      expiration: this.#refresher?.credentials?.expiration ?? before?.expiration,
      lastRefresh: lastRefresh ?? before?.lastRefresh,
      lastError: lastError && { code: lastError.code, failures },
    };
  }

  /** Ends the session that is served in place of this one, which new clients may not get. */
  dropPrevious(): void {
    void this.previous?.stop();
    this.previous = undefined;
  }

  /** The latest session that has credentials: this one, or one before. */
  private get serving(): RoleSession | undefined {
    return this.#refresher?.credentials ? this : this.previous?.serving;
  }

  /** The credentials that are served, if they are valid. */
  private get current(): SessionCredentials | undefined {
    return this.#refresher?.credentials ?? this.previous?.current;
  }

  /** Adds the credentials that are still served to the event of a failure. */
  #withCredentials(event: RefreshEvent): RefreshEvent {
    if (event.kind !== "failed" || event.credentials) return event;
    return { ...event, credentials: this.previous?.current };
  }

  /** Ends the refreshes. Resolves when a running call has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.previous?.stop(), this.#refresher?.stop(), this.begun]);
  }
}
