import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { runBinary } from "../support/binary.ts";
import { ConnectProxy } from "../support/connect_proxy.ts";
import { testWith } from "../support/needs.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { Tinyproxy } from "../support/tinyproxy.ts";

const DEAD = "http://127.0.0.1:9";

Deno.test("credential-process ignores all proxy variables with --with-proxy=false", async () => {
  await using scenario = await SessionScenario.create();
  const args = ["credential-process", ...scenario.flags, "--with-proxy=false"];
  const { code, stderr } = await runBinary(args, {
    env: { HTTPS_PROXY: DEAD, https_proxy: DEAD, ALL_PROXY: "socks5://x", HTTP_PROXY: DEAD },
  });
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
});

for (const verification of [[], ["--no-verify-ssl"]]) {
  const how = verification.length === 0 ? "verified" : "unverified";

  for (const flag of [[], ["--with-proxy"]]) {
    Deno.test(`credential-process goes through the proxy with [${flag}] (${how})`, async () => {
      await using scenario = await SessionScenario.create();
      await using proxy = new ConnectProxy();
      const { code } = await runBinary(
        ["credential-process", ...scenario.flags, ...flag, ...verification],
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
  }

  Deno.test(`credential-process honours NO_PROXY (${how})`, async () => {
    await using scenario = await SessionScenario.create();
    const { code } = await runBinary(
      ["credential-process", ...scenario.flags, ...verification],
      { env: { HTTPS_PROXY: DEAD, NO_PROXY: `localhost:${scenario.emulator.port}` } },
    );
    assertEquals(code, 0);
  });

  Deno.test(`credential-process names the proxy that refuses connections (${how})`, async () => {
    await using scenario = await SessionScenario.create();
    const { code, stdout, stderr } = await runBinary(
      ["credential-process", ...scenario.flags, ...verification],
      { env: { HTTPS_PROXY: "http://user:hunter2@127.0.0.1:9" } },
    );
    assertEquals({ code, stdout }, { code: 6, stdout: "" });
    assertEquals(stderr.includes("hunter2"), false);
    assertStringIncludes(stderr, "the proxy 127.0.0.1:9 (HTTPS_PROXY) refuses connections");
  });
}

Deno.test("credential-process honours networks in NO_PROXY", async () => {
  await using scenario = await SessionScenario.create();
  const endpoint = `https://127.0.0.1:${scenario.emulator.port}`;
  for (const [list, code] of [["127.0.0.0/8", 0], ["10.0.0.0/8", 6]] as const) {
    const result = await runBinary(
      ["credential-process", ...scenario.flags, "--endpoint", endpoint],
      { env: { https_proxy: DEAD, no_proxy: `example.org,${list}` } },
    );
    assertEquals(result.code, code, result.stderr);
  }
});

/** Environments in which a connection fails, and the expected message. */
const FAILING: readonly {
  name: string;
  env: Record<string, string>;
  flags?: readonly string[];
  message: RegExp;
}[] = [
  {
    name: "--with-proxy=false",
    env: { HTTPS_PROXY: "http://u:hunter2@proxy.invalid:3128" },
    flags: ["--with-proxy=false"],
    message:
      /127\.0\.0\.1:9 refuses connections.*; HTTPS_PROXY is ignored \(--with-proxy=false\)\n$/,
  },
  {
    name: "NO_PROXY",
    env: { https_proxy: "http://u:hunter2@proxy.invalid:3128", NO_PROXY: "127.0.0.0/8" },
    message:
      /127\.0\.0\.1:9 refuses connections.*; https_proxy is not used \(NO_PROXY lists this host\)/,
  },
  {
    name: "a proxy's name that does not exist",
    env: { ALL_PROXY: "http://u:hunter2@proxy.invalid:3128" },
    message: /the proxy proxy\.invalid:3128 \(ALL_PROXY\) cannot be found/,
  },
  { name: "no variable", env: {}, message: /127\.0\.0\.1:9 refuses connections; check [^;]*\n$/ },
];

for (const { name, env, flags = [], message } of FAILING) {
  Deno.test(`a connection that fails names the proxy, used or ignored: ${name}`, async () => {
    await using scenario = await SessionScenario.create();
    const { code, stderr } = await runBinary(
      [
        "credential-process",
        ...scenario.flags,
        ...["--endpoint", "https://127.0.0.1:9"],
        ...flags,
      ],
      { env },
    );
    assertEquals(code, 6);
    assertMatch(stderr, message);
    assert(!stderr.includes("hunter2"));
  });
}

Deno.test("a TLS failure through a proxy names the proxy", async () => {
  await using scenario = await SessionScenario.create();
  await using proxy = new ConnectProxy();
  const args = scenario.flags.filter((word) =>
    word !== "--ca-bundle" && word !== scenario.caBundle
  );
  const { code, stderr } = await runBinary(["credential-process", ...args], {
    env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` },
  });
  assertEquals(code, 6);
  assertStringIncludes(stderr, "authority this system does not trust");
  assertStringIncludes(stderr, `connected through the proxy 127.0.0.1:${proxy.port} (HTTPS_PROXY)`);
});

Deno.test("a proxy that requires NTLM or Negotiate is reported", async () => {
  await using scenario = await SessionScenario.create();
  await using proxy = new ConnectProxy(
    "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n" +
      "Proxy-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n",
  );
  const { code, stderr } = await runBinary(["credential-process", ...scenario.flags], {
    env: { HTTPS_PROXY: `http://CORP%5Cuser:hunter2@127.0.0.1:${proxy.port}` },
  });
  assertEquals(code, 6);
  assertStringIncludes(stderr, "requires NTLM or Negotiate authentication (407)");
  assertEquals(stderr.includes("hunter2"), false);
});

Deno.test("a backslash in the proxy's user is reported", async () => {
  await using scenario = await SessionScenario.create();
  const { code, stderr } = await runBinary(["credential-process", ...scenario.flags], {
    env: { HTTPS_PROXY: "http://CORP\\user:hunter2@127.0.0.1:9" },
  });
  assertEquals(code, 2);
  assertMatch(stderr, /HTTPS_PROXY has a backslash .*%5C/);
  assertEquals(stderr.includes("hunter2"), false);
});

for (const login of [undefined, { user: "build", password: "p4ss" }]) {
  const what = login ? "with credentials" : "without credentials";
  testWith(
    ["program:tinyproxy"],
    `tinyproxy tunnels credential-process and update ${what}, and logs it`,
    async () => {
      await using scenario = await SessionScenario.create();
      await using proxy = await Tinyproxy.start(login);
      const userInfo = login ? `${login.user}:${login.password}@` : "";
      const env = {
        HTTPS_PROXY: `http://${userInfo}127.0.0.1:${proxy.port}`,
        HOME: scenario.directory.path,
      };
      for (const command of [["credential-process"], ["update", "--once"]]) {
        const { code, stderr } = await runBinary([...command, ...scenario.flags], { env });
        assertEquals({ code, stderr }, { code: 0, stderr: "" });
      }
      const target = `localhost:${scenario.emulator.port}`;
      await proxy.logged(new RegExp(`(CONNECT ${target} HTTP/1.1[^]*){2}`));
      assertEquals(scenario.emulator.requests.length, 2);

      const before = proxy.log.split("CONNECT").length;
      const direct = await runBinary(
        ["credential-process", ...scenario.flags, "--with-proxy=false"],
        { env },
      );
      assertEquals(direct.code, 0);
      assertEquals(proxy.log.split("CONNECT").length, before);
    },
  );
}

testWith(
  ["program:tinyproxy"],
  "tinyproxy refuses a wrong password, and the message does not contain it",
  async () => {
    await using scenario = await SessionScenario.create();
    await using proxy = await Tinyproxy.start({ user: "build", password: "p4ss" });
    for (
      const [userInfo, message] of [["build:hunter2@", /rejected the user|407|401/], [
        "",
        /407|401/,
      ]] as const
    ) {
      const { code, stderr } = await runBinary(["credential-process", ...scenario.flags], {
        env: { HTTPS_PROXY: `http://${userInfo}127.0.0.1:${proxy.port}` },
      });
      assertEquals(code, 6);
      assertMatch(stderr, message);
      assertEquals(stderr.includes("hunter2"), false);
    }
  },
);
