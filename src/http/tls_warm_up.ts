/**
 * Preparation of the first TLS connection.
 *
 * @module
 */

/**
 * Starts gathering entropy in another thread; the first TLS connection would wait for it. The program's
 * loader does the same for commands that always connect. Deno 2.9 generates HMAC and AES keys in the main thread.
 */
export function warmUpTls(): void {
  void crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
}
