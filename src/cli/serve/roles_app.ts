/**
 * Application of `serve` for the roles of one time. Reading the roles file again creates another.
 *
 * @module
 */
import { createApp } from "../../imds/app.ts";
import type { Health } from "../../imds/documents.ts";
import type { Endpoint, RequestHandler } from "../../imds/endpoint.ts";
import { healthOf, healthOfAll, type RolesHealth, type RoleTable } from "../../imds/roles.ts";
import type { RoleSet } from "../roles/role_set.ts";

/** The endpoint without its roles. */
export type Served = Omit<Endpoint, "table">;

/** Application for the roles of one time. */
export interface RolesApp {
  readonly handle: RequestHandler;
  /** Returns whether a user gets credentials at the IMDSv2 paths. */
  isKnownUser(user: number | undefined): boolean;
}

/** Creates the application. */
export async function createRolesApp(served: Served, table: RoleTable): Promise<RolesApp> {
  const { allowedUsers } = served;
  return {
    handle: await createApp({ ...served, table }),
    isKnownUser: (user) =>
      user !== undefined && (allowedUsers?.has(user) ?? true) &&
      (table.byUser.has(user) || table.others !== undefined),
  };
}

/** Returns the health of the only role, or of all roles of `--roles`. */
export function health({ roles }: RoleSet, now: Date): Health | RolesHealth {
  const [first] = roles;
  return first && first.settings.label === undefined
    ? healthOf(first.state(), now)
    : healthOfAll(roles.map((role) => role.state()), now);
}
