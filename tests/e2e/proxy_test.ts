import { assertEquals, assertStringIncludes } from "@std/assert";
import { runBinary } from "../support/binary.ts";
import { ConnectProxy } from "../support/connect_proxy.ts";
import { SessionScenario } from "../support/session_scenario.ts";

Deno.test("credential-process ignores proxy variables when --with-proxy is not given", async () => {
  await using scenario = await SessionScenario.create();
  const dead = "http://127.0.0.1:9";
  const { code, stderr } = await runBinary(["credential-process", ...scenario.flags], {
    env: { HTTPS_PROXY: dead, https_proxy: dead, ALL_PROXY: dead, HTTP_PROXY: dead },
  });
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
});

for (const verification of [[], ["--no-verify-ssl"]]) {
  const how = verification.length === 0 ? "verified" : "unverified";

  Deno.test(`credential-process goes through the proxy with --with-proxy (${how})`, async () => {
    await using scenario = await SessionScenario.create();
    await using proxy = new ConnectProxy();
    const { code } = await runBinary(
      ["credential-process", ...scenario.flags, "--with-proxy", ...verification],
      { env: { HTTPS_PROXY: `http://user:p%40ss@127.0.0.1:${proxy.port}` } },
    );
    assertEquals(code, 0);
    assertEquals(proxy.heads.length, 1);
    const [head = ""] = proxy.heads;
    assertStringIncludes(head, `CONNECT localhost:${scenario.emulator.port} HTTP/1.1\r\n`);
    assertStringIncludes(head, `Basic ${btoa("user:p@ss")}\r\n`);
    const names = scenario.emulator.requests[0]?.headers.map(([name]) => name.toLowerCase());
    assertEquals(names?.includes("proxy-authorization"), false);
  });

  Deno.test(`credential-process honours NO_PROXY with --with-proxy (${how})`, async () => {
    await using scenario = await SessionScenario.create();
    const { code } = await runBinary(
      ["credential-process", ...scenario.flags, "--with-proxy", ...verification],
      {
        env: {
          HTTPS_PROXY: "http://127.0.0.1:9",
          NO_PROXY: `localhost:${scenario.emulator.port}`,
        },
      },
    );
    assertEquals(code, 0);
  });

  Deno.test(`credential-process names the proxy's failure with --with-proxy (${how})`, async () => {
    await using scenario = await SessionScenario.create();
    const { code, stdout, stderr } = await runBinary(
      ["credential-process", ...scenario.flags, "--with-proxy", ...verification],
      { env: { HTTPS_PROXY: "http://user:hunter2@127.0.0.1:9" } },
    );
    assertEquals({ code, stdout }, { code: 6, stdout: "" });
    assertEquals(stderr.includes("hunter2"), false);
    assertStringIncludes(stderr, "prox");
  });
}
