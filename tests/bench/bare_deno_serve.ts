/** Minimal server on this runtime: one response with the length of credentials, without routing. */
const body = "x".repeat(Number(Deno.args[0] ?? 678));
const headers = { "content-type": "application/json" };
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: () => {} },
  () => new Response(body, { headers }),
);
Deno.stdout.writeSync(new TextEncoder().encode(`${(server.addr as Deno.NetAddr).port}\n`));
