import { assertEquals, assertMatch } from "@std/assert";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Starts a server in its own process; returns the error, or "listens". */
async function start(bind: unknown, serveAddress?: string): Promise<string> {
  const module = import.meta.resolve("../../src/imds/server.ts");
  const program = `
    const { EndpointServer } = await import(${JSON.stringify(module)});
    try {
      const server = await EndpointServer.start({
        bind: ${JSON.stringify(bind)},
        hopLimit: 64,
        handler: () => new Response("ok"),
        monotonic: () => performance.now(),
        warn: () => {},
      });
      console.log("listens");
      await server[Symbol.asyncDispose]();
    } catch (thrown) {
      console.log(thrown.code, thrown.message);
    }
    Deno.exit(0);`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", program],
    env: serveAddress === undefined ? {} : { DENO_SERVE_ADDRESS: serveAddress },
    stderr: "inherit",
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

const ANY_PORT = { kind: "ip", address: "127.0.0.1", port: 0 };

testWith(["ipv6-loopback"], "a server starts on the requested address, on IPv6", async () => {
  assertEquals(await start({ kind: "ip", address: "::1", port: 0 }), "listens");
});

Deno.test("a server starts on the requested address, on IPv4 and a Unix socket", async () => {
  using directory = new TemporaryDirectory();
  assertEquals(await start(ANY_PORT), "listens");
  assertEquals(await start({ kind: "ip", address: "0.0.0.0", port: 0 }), "listens");
  assertEquals(await start({ kind: "unix", path: directory.join("socket") }), "listens");
});

Deno.test("a server refuses to start when the runtime listens elsewhere, or twice", async () => {
  using directory = new TemporaryDirectory();
  const socket = directory.join("elsewhere");
  const moved = await start(ANY_PORT, "tcp:127.0.0.2:0");
  assertMatch(
    moved,
    /^listen --bind 127\.0\.0\.1 port 0: the process listens on 127\.0\.0\.2 port /,
  );
  const unix = await start(ANY_PORT, `unix:${socket}`);
  assertMatch(unix, /^listen --bind 127\.0\.0\.1 port 0: .* listens on \/.*elsewhere instead/);
  const twice = await start(ANY_PORT, "duplicate,tcp:127.0.0.1:0");
  assertMatch(twice, /^listen .* listens on 127\.0\.0\.1 port \d+, 127\.0\.0\.1 port \d+ instead/);
  const path = directory.join("asked");
  const instead = await start({ kind: "unix", path }, "tcp:127.0.0.1:0");
  assertMatch(instead, /^listen --bind \/.*asked: the process listens on 127\.0\.0\.1 port \d+ /);
});
