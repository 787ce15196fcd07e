/**
 * The roles of a running `serve`: their sessions and tokens, and the change to other settings.
 *
 * @module
 */
import type { RefreshDeps, RefreshEvent } from "../../credentials/refresh/refresher.ts";
import { vendedRole } from "../../credentials/refresh/session.ts";
import { HelperError } from "../../errors.ts";
import { type ContainerToken, containerToken } from "../../imds/container_token.ts";
import { lastPartOf, type RoleTable, type ServedRole } from "../../imds/roles.ts";
import type { SessionCredentials } from "../../rolesanywhere/create_session.ts";
import type { RoleSettings, TokenSettings } from "./role_settings.ts";
import { RoleSession } from "./role_session.ts";

/** Dependencies of a {@link RoleSet}. */
export interface RoleSetDeps {
  /** Requests a session of the role. */
  readonly fetch: (settings: RoleSettings) => Promise<SessionCredentials>;
  readonly refresh: RefreshDeps;
  readonly onRefresh: (settings: RoleSettings, event: RefreshEvent) => void;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly warn: (message: string) => void;
}

/** Names of the roles that a change added, changed, removed and kept. */
export interface RoleChanges {
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly kept: readonly string[];
  /** Resolves after an attempt of the new sessions, and of those that had failed. */
  readonly tried: Promise<void>;
}

/** A role that is served. */
export interface RunningRole extends ServedRole {
  readonly settings: RoleSettings;
  readonly session: RoleSession;
  readonly token: ContainerToken | undefined;
}

/** The roles of a running `serve`. Disposing of them removes the files of their tokens. */
export class RoleSet implements Disposable {
  #roles: readonly RunningRole[] = [];

  private constructor(private readonly deps: RoleSetDeps) {}

  /**
   * Requests a session of each role. A role that fails is retried. The roles have no tokens yet.
   *
   * Throws the error of the first role if all fail; then nothing runs.
   */
  static async start(settings: readonly RoleSettings[], deps: RoleSetDeps): Promise<RoleSet> {
    // Failures are reported when it is known that another role works.
    const failures: (() => void)[] = [];
    let isStarting = true;
    const set = new RoleSet({
      ...deps,
      onRefresh: (role, event) => {
        const report = () => deps.onRefresh(role, event);
        if (isStarting && event.kind === "failed") failures.push(report);
        else report();
      },
    });
    const sessions = new Map(settings.map((role) => [role.name, set.#begin(role)]));
    await Promise.all([...sessions.values()].map(({ begun }) => begun));
    isStarting = false;
    try {
      const errors = [...sessions.values()].flatMap(({ lastError }) => lastError ?? []);
      const [first] = errors;
      const [{ label } = {}] = settings;
      if (first && errors.length === sessions.size) throw nameRole(first, label, errors.length);
      for (const report of failures) report();
      set.#use(settings, new Map(), sessions);
      return set;
    } catch (thrown) {
      for (const session of sessions.values()) void session.stop();
      throw thrown;
    }
  }

  /** Writes the tokens of the roles. Throws `listen` if one cannot be written; then there are none. */
  createTokens(): void {
    const settings = this.#roles.map((role) => role.settings);
    const sessions = this.#roles.map((role) => [role.settings.name, role.session] as const);
    this.#use(settings, this.#createTokens(settings), new Map(sessions));
  }

  get roles(): readonly RunningRole[] {
    return this.#roles;
  }

  /** Returns the roles by their clients. */
  get table(): RoleTable {
    const byUser = this.#roles.flatMap((role) =>
      (role.settings.users ?? []).map(({ id }) => [id, role] as const)
    );
    return {
      roles: this.#roles,
      byUser: new Map(byUser),
      others: this.#roles.find(({ settings }) => !settings.users),
    };
  }

  /**
   * Changes to other settings. Sessions and tokens that they do not change are kept; failed sessions are
   * tried again. Throws `listen` if a token cannot be written; then the roles have not changed.
   */
  change(settings: readonly RoleSettings[]): RoleChanges {
    const before = new Map(this.#roles.map((role) => [role.name, role]));
    const tokens = this.#createTokens(settings);
    const added: string[] = [];
    const changed: string[] = [];
    const kept: string[] = [];
    const sessions = new Map<string, RoleSession>();
    for (const role of settings) {
      const { name } = role;
      const old = before.get(name);
      const isSame = old !== undefined && hasSameSession(old.settings, role);
      const hasSameClients = old !== undefined && haveSameClients(old.settings, role);
      (!old ? added : isSame && hasSameClients ? kept : changed).push(name);
      if (isSame && !hasSameClients) old.session.dropPrevious();
      sessions.set(
        name,
        // New clients of a role do not get the session of its old settings.
        isSame ? old.session : this.#begin(role, hasSameClients ? old?.session : undefined),
      );
    }
    const old = this.#roles;
    this.#use(settings, tokens, sessions);
    for (const { session, settings: was, token } of old) {
      const now = this.#roles.find((role) => role.name === was.name);
      const isUsed = now &&
        (hasSameSession(was, now.settings) || haveSameClients(was, now.settings));
      if (!isUsed) void session.stop();
      if (token !== now?.token) token?.[Symbol.dispose]();
    }
    const removed = [...before.keys()].filter((name) => !sessions.has(name));
    const attempts = [...sessions.values()].map((session) => session.begun);
    for (const name of [...changed, ...kept]) {
      const session = sessions.get(name);
      if (session && session === before.get(name)?.session) attempts.push(session.retry());
    }
    return { added, changed, removed, kept, tried: Promise.all(attempts).then(() => {}) };
  }

  /** Ends the refreshes. Resolves when running calls have ended. */
  async stop(): Promise<void> {
    await Promise.all(this.#roles.map(({ session }) => session.stop()));
  }

  [Symbol.dispose](): void {
    for (const { token } of this.#roles) token?.[Symbol.dispose]();
  }

  #begin(settings: RoleSettings, previous?: RoleSession): RoleSession {
    return new RoleSession(
      settings.name,
      () => this.deps.fetch(settings),
      this.deps.refresh,
      (event) => this.deps.onRefresh(settings, event),
      previous,
    );
  }

  #use(
    settings: readonly RoleSettings[],
    tokens: ReadonlyMap<string, ContainerToken>,
    sessions: ReadonlyMap<string, RoleSession>,
  ): void {
    this.#roles = settings.map((role) => {
      const session = sessions.get(role.name) ?? this.#begin(role);
      const token = tokens.get(role.name);
      return {
        name: role.label === undefined ? lastPartOf(vendedRole(role.request).text) : role.name,
        arn: vendedRole(role.request).text,
        region: role.request.region,
        ...(token ? { containerToken: token.text } : {}),
        credentials: (now) => session.credentials(now),
        state: () => session.state(),
        settings: role,
        session,
        token,
      };
    });
  }

  /** Returns the tokens of the roles; those whose file and owner stay are kept. Throws `listen`. */
  #createTokens(settings: readonly RoleSettings[]): ReadonlyMap<string, ContainerToken> {
    const before = new Map(this.#roles.map((role) => [role.name, role]));
    const tokens = new Map<string, ContainerToken>();
    const created: ContainerToken[] = [];
    try {
      // Files that replace another token's come last, so that a failure before leaves those.
      const used = new Set(this.#roles.map(({ token }) => token?.file));
      const ordered = settings.toSorted((a, b) =>
        Number(used.has(a.token?.file)) - Number(used.has(b.token?.file))
      );
      for (const { name, token: wanted } of ordered) {
        if (!wanted) continue;
        const old = before.get(name);
        if (old?.token && sameToken(old.settings.token, wanted)) {
          tokens.set(name, old.token);
          continue;
        }
        const token = this.#createToken(wanted);
        created.push(token);
        tokens.set(name, token);
      }
      return tokens;
    } catch (thrown) {
      for (const token of created) token[Symbol.dispose]();
      throw thrown;
    }
  }

  #createToken({ file, source, owner }: TokenSettings): ContainerToken {
    const { randomBytes, warn } = this.deps;
    if (file === undefined) return containerToken(undefined, randomBytes);
    return containerToken({
      path: file,
      source,
      ...(owner ? { owner: owner.id } : {}),
      onOtherOwner: () =>
        warn(`${source}: ${file} belongs to the user of serve; it may not change the owner`),
    }, randomBytes);
  }
}

function nameRole(error: HelperError, label: string | undefined, failures: number): HelperError {
  if (label === undefined) return error;
  const count = failures === 1 ? "" : `all ${failures} roles failed; `;
  return new HelperError(error.code, `${count}${label}: ${error.message}`, { cause: error.cause });
}

function hasSameSession(a: RoleSettings, b: RoleSettings): boolean {
  return JSON.stringify(a.request) === JSON.stringify(b.request);
}

function haveSameClients(a: RoleSettings, b: RoleSettings): boolean {
  const ids = ({ users }: RoleSettings) => JSON.stringify(users?.map(({ id }) => id));
  return ids(a) === ids(b) && sameToken(a.token, b.token);
}

function sameToken(a: TokenSettings | undefined, b: TokenSettings | undefined): boolean {
  return a?.file === b?.file && a?.owner?.id === b?.owner?.id && !a === !b;
}
