/**
 * Paths of the endpoint, normalized as `request_target.ts` does it, and their classes for metrics. Pure.
 *
 * @module
 */

/** Fixed paths by their class. */
export const PATHS = {
  token: "/latest/api/token",
  role: "/latest/meta-data/iam/security-credentials",
  region: "/latest/meta-data/placement/region",
  zone: "/latest/meta-data/placement/availability-zone",
  identity: "/latest/dynamic/instance-identity/document",
  health: "/healthz",
  metrics: "/metrics",
} as const;

/** Parents of the paths that end in a role's name, by their class. */
const ROLE_PARENTS = {
  credentials: PATHS.role,
  container: "/role",
} as const;

/** Class of a path. The set is closed: a client cannot add to it. */
export type PathClass = keyof typeof PATHS | keyof typeof ROLE_PARENTS | "other";

const FIXED: ReadonlyMap<string, PathClass> = new Map(
  (Object.keys(PATHS) as (keyof typeof PATHS)[]).map((name) => [PATHS[name], name]),
);

/** Returns the class of a normalized path, also if it gets 404. */
export function pathClass(path: string): PathClass {
  const fixed = FIXED.get(path);
  if (fixed !== undefined) return fixed;
  if (isChildOf(path, ROLE_PARENTS.credentials)) return "credentials";
  return isChildOf(path, ROLE_PARENTS.container) ? "container" : "other";
}

function isChildOf(path: string, parent: string): boolean {
  return path.startsWith(parent) && path.lastIndexOf("/") === parent.length;
}
