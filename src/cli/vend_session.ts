/**
 * Session for `credential-process`. A cached session does not load this.
 *
 * @module
 */
import { vendCredentials, type VendedSession } from "../credentials/refresh/session.ts";
import type { IdentitySource } from "../keystore/open_identity.ts";
import type { SessionCredentials } from "../rolesanywhere/create_session.ts";
import type { FlagValues } from "./flags/flag_values.ts";
import { createKeystoreContext } from "./keystore_context.ts";
import { createSessionDeps } from "./session_deps.ts";
import type { System } from "./system.ts";

/** Requests a session with the key and certificate of `source`. Throws the errors of the request. */
export async function vendSession(
  values: FlagValues,
  system: System,
  source: IdentitySource,
  request: VendedSession,
): Promise<SessionCredentials> {
  return await vendCredentials(
    source,
    request,
    system.registry,
    createKeystoreContext(values, system),
    await createSessionDeps(values, request.endpoint, system),
  );
}
