import type { RoleTable, ServedRole } from "../../src/imds/roles.ts";

/** Returns the table of one role for all clients. */
export function tableOf(role: ServedRole): RoleTable {
  return { roles: [role], byUser: new Map(), others: role };
}
