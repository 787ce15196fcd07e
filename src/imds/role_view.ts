/**
 * Documents of one role.
 *
 * @module
 */
import {
  containerCredentials,
  identityDocument,
  metadataCredentials,
  type ServedCredentials,
} from "./documents.ts";
import type { Connection } from "./endpoint.ts";
import { type Document, JSON_TYPE, TEXT } from "./response.ts";
import { lastPartOf, type ServedRole } from "./roles.ts";

/** Text of a response without credentials. */
export const NO_CREDENTIALS = "no valid credentials at this time; see /healthz";

/** Alias for the role's name. */
const ROLE_ALIAS = "default";

/** A role with its documents. */
export interface RoleView {
  readonly role: ServedRole;
  /** Names of the role at the IMDSv2 path. */
  readonly names: ReadonlySet<string>;
  readonly listed: Document;
  readonly region: Document;
  /** SDKs that request the zone remove its last letter. */
  readonly zone: Document;
  readonly identity: Document;
  metadata(connection: Connection): Document;
  /** Returns the document for containers; undefined without valid credentials. */
  container(connection: Connection): string | undefined;
}

/** Creates the documents of a role. */
export function viewOf(role: ServedRole): RoleView {
  const listed = lastPartOf(role.arn);
  return {
    role,
    names: new Set([listed, role.name, ROLE_ALIAS]),
    listed: [200, TEXT, listed],
    region: [200, TEXT, role.region],
    zone: [200, TEXT, `${role.region}a`],
    identity: [200, JSON_TYPE, identityDocument(role.region)],
    metadata: memoizeDocument(
      role,
      (current): Document => [200, JSON_TYPE, metadataCredentials(current)],
      [500, TEXT, NO_CREDENTIALS],
    ),
    container: memoizeDocument<string | undefined>(
      role,
      (current) => containerCredentials(current, role.arn),
      undefined,
    ),
  };
}

/**
 * Returns a function that renders the current credentials, once a set; `none` if there are none.
 *
 * Measured by tests/bench/cells.ts: this is worth about 20 % of requests per second.
 */
function memoizeDocument<T>(
  role: ServedRole,
  render: (credentials: ServedCredentials) => T,
  none: T,
): (connection: Connection) => T {
  let last: { fetched: Date; document: T } | undefined;
  return ({ received }) => {
    const credentials = role.credentials(received);
    if (!credentials) return none;
    if (last?.fetched !== credentials.fetched) {
      last = { fetched: credentials.fetched, document: render(credentials) };
    }
    return last.document;
  };
}
