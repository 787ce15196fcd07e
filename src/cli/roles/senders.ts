/**
 * Connections to the service's endpoints. Roles of one region share theirs.
 *
 * @module
 */
import type { CreateSessionDeps } from "../../rolesanywhere/create_session.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { createSessionDeps } from "../session_deps.ts";
import type { System } from "../system.ts";
import type { RoleSettings } from "./role_settings.ts";

/** Dependencies of CreateSession, by endpoint. */
export class Senders {
  readonly #byOrigin = new Map<string, CreateSessionDeps>();

  constructor(private readonly values: FlagValues, private readonly system: System) {}

  /**
   * Returns the dependencies for a role, whose debug output names it if there are several. Throws `usage`
   * and `ca-bundle` at the first use of an endpoint.
   */
  async of(
    { label, request }: Pick<RoleSettings, "label" | "request">,
  ): Promise<CreateSessionDeps> {
    const shared = await this.#shared(request.endpoint);
    if (label === undefined) return shared;
    return { ...shared, debug: (message) => shared.debug(`${label}: ${message}`) };
  }

  /** Creates the dependencies of all roles. Throws `usage` and `ca-bundle`. */
  async prepare(roles: readonly RoleSettings[]): Promise<void> {
    for (const role of roles) await this.of(role);
  }

  async #shared(endpoint: URL): Promise<CreateSessionDeps> {
    const known = this.#byOrigin.get(endpoint.origin);
    if (known) return known;
    const created = await createSessionDeps(this.values, endpoint, this.system);
    this.#byOrigin.set(endpoint.origin, created);
    return created;
  }
}
