/**
 * Address of the Workload API and the wanted SPIFFE ID (SPIFFE Workload Endpoint, section 4).
 *
 * @module
 */
import { HelperError, printableName } from "../../src/errors.ts";
import { type KeystoreUri, SCHEMES } from "../../src/keystore/uri.ts";

/** Place that the agent listens at. */
export type Address =
  | { readonly transport: "unix"; readonly path: string }
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number };

/** Parsed `spiffe:` URI. */
export interface Target {
  readonly address: Address;
  /** The wanted SPIFFE ID; absent for the first SVID. */
  readonly id?: string;
  /** URI with its address and without the ID, for messages. */
  readonly name: string;
}

/** SPIFFE ID (SPIFFE-ID, section 2): a trust domain, and a path without empty or dot segments. */
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}((?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*)$/;
/** Maximum length of a SPIFFE ID, bytes. */
const MAX_ID_LENGTH = 2048;
/** Maximum length of a Unix socket's path, bytes, without the zero at its end. */
const MAX_SOCKET_PATH = Deno.build.os === "darwin" ? 103 : 107;

const VARIABLE = SCHEMES.spiffe.addressVariable;

/** Returns true for the SPIFFE ID of a workload. */
export function isSpiffeId(text: string): boolean {
  return text.length <= MAX_ID_LENGTH && SPIFFE_ID.test(text);
}

/** Returns the trust domain of a SPIFFE ID. */
export function trustDomainOf(id: string): string {
  return id.split("/")[2] ?? "";
}

/**
 * Reads the URI:
 *
 * - `spiffe:` takes the address from SPIFFE_ENDPOINT_SOCKET
 * - `spiffe:unix:///path/of/socket` or `spiffe:tcp://127.0.0.1:8081`
 * - `spiffe:id=spiffe://domain/path`, or `;id=…` after an address, selects an SVID
 *
 * Throws `usage`.
 */
export function readTarget(
  uri: KeystoreUri,
  environment: (name: string) => string | undefined,
): Target {
  const refuse = (why: string) => new HelperError("usage", `${uri.displayName}: ${why}`);
  if (uri.query.size > 0) throw refuse('a spiffe: URI has no "?"');
  for (const name of uri.attributes.keys()) {
    if (name !== "id") throw refuse(`unknown attribute "${name}"; the attribute is id`);
  }
  const given = uri.path === "" ? environment(VARIABLE) : undefined;
  if (uri.path === "" && !given) {
    throw refuse(`${VARIABLE} is not set; set it, or use spiffe:unix:///path/of/socket`);
  }
  const text = given ?? uri.path;
  const address = parseAddress(text);
  if (!address) {
    throw new HelperError(
      "usage",
      `${given === undefined ? uri.displayName : VARIABLE}: not an address of a Workload API; ` +
        "use unix:///path/of/socket or tcp://127.0.0.1:PORT",
    );
  }
  const bytes = uri.attributes.get("id");
  const id = bytes && new TextDecoder().decode(bytes);
  if (id !== undefined && !isSpiffeId(id)) {
    throw refuse("id is not a SPIFFE ID; use id=spiffe://trust-domain/path");
  }
  const name = `spiffe:${printableName(text)}`;
  return { address, name, ...(id === undefined ? {} : { id }) };
}

/** Parses `unix:///path`, `unix:/path` or `tcp://ADDRESS:PORT`. Returns undefined for other text. */
export function parseAddress(text: string): Address | undefined {
  const path = /^unix:(?:\/\/(?=\/)|(?!\/\/))(\/[^?#]+)$/i.exec(text)?.[1];
  if (path !== undefined) {
    try {
      const decoded = decodeURIComponent(path);
      const { length } = new TextEncoder().encode(decoded);
      if (decoded.includes("\0") || length > MAX_SOCKET_PATH) return undefined;
      return { transport: "unix", path: decoded };
    } catch {
      return undefined; // a malformed percent escape
    }
  }
  const url = /^tcp:\/\//i.test(text) ? URL.parse(text) : null;
  if (!url || url.port === "" || /[^/]/.test(url.pathname + url.search + url.hash)) {
    return undefined;
  }
  // The API has no encryption: it must not leave the machine.
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  if (!/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname) && hostname !== "::1") return undefined;
  if (url.username !== "" || url.password !== "") return undefined;
  return { transport: "tcp", hostname, port: Number(url.port) };
}
