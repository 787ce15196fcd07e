/**
 * Preparation of the first TLS connection.
 *
 * @module
 */

/**
 * Starts gathering entropy in another thread; the first TLS connection would wait for it. Deno 2.9
 * generates symmetric keys in the main thread. The program's loader does the same for commands that always
 * connect.
 */
export function warmUpTls(): void {
  void crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
}
