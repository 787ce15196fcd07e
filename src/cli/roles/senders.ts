/**
 * Connections to the service's endpoints. Roles of one region share theirs.
 *
 * @module
 */
import type { CreateSessionDeps } from "../../rolesanywhere/create_session.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { createSessionDeps } from "../session_request.ts";
import type { System } from "../system.ts";
import type { RoleSettings } from "./role_settings.ts";

/** Dependencies of CreateSession, by endpoint. */
export class Senders {
  readonly #byOrigin = new Map<string, CreateSessionDeps>();

  constructor(private readonly values: FlagValues, private readonly system: System) {}

  /** Returns the dependencies for a role. Throws `usage` and `ca-bundle` at the first use. */
  async of({ request: { endpoint } }: Pick<RoleSettings, "request">): Promise<CreateSessionDeps> {
    const known = this.#byOrigin.get(endpoint.origin);
    if (known) return known;
    const created = await createSessionDeps(this.values, endpoint, this.system);
    this.#byOrigin.set(endpoint.origin, created);
    return created;
  }

  /** Creates the dependencies of all roles. Throws `usage` and `ca-bundle`. */
  async prepare(roles: readonly RoleSettings[]): Promise<void> {
    for (const role of roles) await this.of(role);
  }
}
