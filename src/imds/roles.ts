/**
 * Roles that the endpoint serves, and the state of their sessions. Pure.
 *
 * @module
 */
import type { Health, ServedCredentials } from "./documents.ts";

/** State of a role's session, for `/healthz` and other reports. */
export interface RoleState {
  readonly name: string;
  /** End of the current credentials; undefined if there are none, or they have expired. */
  readonly expiration: Date | undefined;
  /** Time of the last successful fetch. */
  readonly lastRefresh: Date | undefined;
  /** Result of the last attempt, if it failed: error code, and the number of failures in a row. */
  readonly lastError: { readonly code: string; readonly failures: number } | undefined;
}

/** A role of the endpoint. */
export interface ServedRole {
  /** Name in `/role/NAME`. */
  readonly name: string;
  readonly arn: string;
  readonly region: string;
  /** Value of `Authorization` that container clients must send; absent: not at `/role/NAME`. */
  readonly containerToken?: string;
  /** Returns the credentials if they are valid at `now`, a time of the endpoint's `monotonic`. */
  credentials(now: number): ServedCredentials | undefined;
  state(): RoleState;
}

/** Roles, and the clients that get each of them. */
export interface RoleTable {
  readonly roles: readonly ServedRole[];
  /** Roles of listed users, by the kernel's number. */
  readonly byUser: ReadonlyMap<number, ServedRole>;
  /** Role of all other clients; undefined if they get none. */
  readonly others: ServedRole | undefined;
}

/** Returns the last part of a role's resource: `role/path/NAME`. */
export function lastPartOf(arn: string): string {
  return arn.slice(arn.lastIndexOf("/") + 1);
}

/** Returns a role's health at `now`. */
export function healthOf({ expiration, lastRefresh, lastError }: RoleState, now: Date): Health {
  const seconds = (from: Date, to: Date) => Math.round((to.getTime() - from.getTime()) / 1000);
  return {
    status: !expiration ? "expired" : lastError ? "failing" : "ok",
    ageSeconds: lastRefresh ? seconds(lastRefresh, now) : 0,
    remainingSeconds: expiration ? seconds(now, expiration) : 0,
    lastError: lastError ?? null,
  };
}

/** Health of several roles. */
export interface RolesHealth {
  /** `expired` if no role has valid credentials; `failing` if one of them is not `ok`. */
  readonly status: Health["status"];
  readonly roles: readonly ({ readonly name: string } & Health)[];
}

/** Returns the health of all roles at `now`. */
export function healthOfAll(states: readonly RoleState[], now: Date): RolesHealth {
  const roles = states.map((state) => ({ name: state.name, ...healthOf(state, now) }));
  const hasAny = roles.some(({ status }) => status !== "expired");
  const hasAll = roles.every(({ status }) => status === "ok");
  return { status: !hasAny ? "expired" : hasAll ? "ok" : "failing", roles };
}
