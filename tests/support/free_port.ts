/** Range of {@link freePort}: below the kernel's ephemeral ports, and above those of software TPMs. */
const [FIRST, LAST] = [30_000, 32_767];

/**
 * Returns a port of loopback without a listener. Servers and clients that let the kernel choose do not
 * take it meanwhile.
 */
export function freePort(): number {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.AddrInUse)) throw thrown;
    }
  }
}
