import { assertEquals, assertStringIncludes } from "@std/assert";

import { runBinary } from "../support/binary.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

for (const [status, code] of [[200, 0], [503, 5]] as const) {
  Deno.test(`health prints the body of /healthz and exits ${code} when it answers ${status}`, async () => {
    const asked: string[] = [];
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => {
        asked.push(new URL(request.url).pathname);
        return new Response('{"status":"x"}', { status });
      },
    );
    const result = await runBinary(["health", "--port", String(server.addr.port)]);
    assertEquals([result.code, result.stdout, asked], [code, '{"status":"x"}\n', ["/healthz"]]);
    if (code !== 0) assertStringIncludes(result.stderr, "has no valid credentials (HTTP 503)");
  });
}

Deno.test("health asks on a Unix socket", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("socket");
  await using _server = Deno.serve({ path, onListen: () => {} }, () => new Response("{}"));
  const { code, stdout } = await runBinary(["health", "--bind", path]);
  assertEquals([code, stdout], [0, "{}\n"]);
});

Deno.test("health exits 6 and names the address when nobody answers", async () => {
  const { code, stdout, stderr } = await runBinary(["health", "--port", "9"]);
  assertEquals([code, stdout], [6, ""]);
  assertStringIncludes(stderr, "no serve responds on http://127.0.0.1:9; check --port and --bind");
});
