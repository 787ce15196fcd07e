import { assertEquals, assertStringIncludes } from "@std/assert";

import { runBinary } from "../support/binary.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

for (const [status, code, state] of [[200, 0, "failing"], [503, 5, "expired"]] as const) {
  Deno.test(`health prints the body of /healthz and exits ${code} when it answers ${status}`, async () => {
    const asked: string[] = [];
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => {
        asked.push(new URL(request.url).pathname);
        return new Response(`{"status":"${state}"}`, { status });
      },
    );
    const result = await runBinary(["health", "--port", String(server.addr.port)]);
    assertEquals([result.code, result.stdout, asked], [code, `{"status":"${state}"}\n`, [
      "/healthz",
    ]]);
    if (code !== 0) assertStringIncludes(result.stderr, "has no valid credentials (HTTP 503)");
  });
}

Deno.test("health asks on a Unix socket", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.join("socket");
  await using _server = Deno.serve(
    { path, onListen: () => {} },
    () => new Response('{"status":"ok"}'),
  );
  const { code, stdout } = await runBinary(["health", "--bind", path]);
  assertEquals([code, stdout], [0, '{"status":"ok"}\n']);
});

Deno.test("health exits 6 and names the address when nobody answers", async () => {
  const { code, stdout, stderr } = await runBinary(["health", "--port", "9"]);
  assertEquals([code, stdout], [6, ""]);
  assertStringIncludes(stderr, "no serve responds on http://127.0.0.1:9; check --port and --bind");
});

for (
  const [what, status, body] of [
    ["nothing", 200, ""],
    ["null", 200, "null"],
    ["another document", 200, "{}"],
    ["a status of another program", 200, '{"status":"UP"}'],
    ["a status that is not that of its code", 503, '{"status":"ok"}'],
    ["control characters", 200, "\x1b[31mred\x1b[0m"],
    ["the status of another program", 404, '{"status":"ok"}'],
  ] as const
) {
  Deno.test(`health exits 6 and prints nothing of a program that answers with ${what}`, async () => {
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response(body, { status }),
    );
    const { code, stdout, stderr } = await runBinary(["health", "--port", `${server.addr.port}`]);
    const address = `http://127.0.0.1:${server.addr.port}`;
    assertEquals({ code, stdout, stderr }, {
      code: 6,
      stdout: "",
      stderr: `aws_signing_helper: the program on ${address} is not serve (HTTP ${status}); ` +
        "check --port and --bind\n",
    });
  });
}

Deno.test("health prints no control characters of another program", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response('{"status":"ok","x":"\\u001b[31m\\u009b31m\\u202e"}'),
  );
  const { stdout } = await runBinary(["health", "--port", `${server.addr.port}`]);
  assertEquals(stdout, '{"status":"ok","x":"\\u001b[31m 31m "}\n');
});
