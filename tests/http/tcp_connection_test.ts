import { assert, assertEquals, assertRejects } from "@std/assert";

import { lookup } from "../../src/http/name_lookup.ts";
import { connectTcp, type Network, NEXT_ATTEMPT_DELAY } from "../../src/http/tcp_connection.ts";

/** What becomes of a connection to an address. */
type Fate = "stands" | "is refused" | "hangs" | "stands late";

/** A listener, and a network in which each address has its fate; the name is its first address. */
function startNetwork(fates: Readonly<Record<string, Fate>>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const addresses = Object.keys(fates);
  const tried: string[] = [];
  const made: Deno.TcpConn[] = [];
  let lookups = 0;
  const network: Network = {
    async connect(hostname, port) {
      const address = hostname === "name" ? addresses[0] ?? "" : hostname;
      tried.push(address);
      const fate = fates[address];
      if (fate === "is refused") throw new Deno.errors.ConnectionRefused(address);
      if (fate === "hangs") {
        return await new Promise(() => {});
      }
      const later = fate === "stands late" ? 2 * NEXT_ATTEMPT_DELAY : 0;
      if (later > 0) await new Promise((resolve) => setTimeout(resolve, later));
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      made.push(connection);
      return connection;
    },
    addressesOf() {
      lookups += 1;
      return Promise.resolve(addresses);
    },
  };
  return {
    network,
    port,
    tried,
    made,
    lookups: () => lookups,
    [Symbol.dispose]: () => listener.close(),
  };
}

/** Fates by address, what is tried in which order, and which attempts connect. */
const CASES: readonly {
  readonly name: string;
  readonly fates: Readonly<Record<string, Fate>>;
  readonly tried: readonly string[];
  readonly lookups: number;
}[] = [
  {
    name: "takes the first address that a name has, and looks nothing up",
    fates: { "::1": "stands", "127.0.0.1": "stands" },
    tried: ["::1"],
    lookups: 0,
  },
  {
    name: "goes on to IPv4 when IPv6 is refused",
    fates: { "::1": "is refused", "::2": "stands", "127.0.0.1": "stands" },
    tried: ["::1", "127.0.0.1"],
    lookups: 1,
  },
  {
    name: "goes on to IPv4 when IPv6 leads nowhere",
    fates: { "::1": "hangs", "127.0.0.1": "stands" },
    tried: ["::1", "127.0.0.1"],
    lookups: 1,
  },
  {
    name: "tries every address",
    fates: { "::1": "hangs", "::2": "stands", "127.0.0.1": "is refused" },
    tried: ["::1", "127.0.0.1", "::2"],
    lookups: 1,
  },
  {
    name: "waits for a slow address when the others fail",
    fates: { "127.0.0.1": "stands late", "::1": "is refused" },
    tried: ["127.0.0.1", "::1", "127.0.0.1"],
    lookups: 1,
  },
  {
    name: "waits for the only address",
    fates: { "127.0.0.1": "stands late" },
    tried: ["127.0.0.1"],
    lookups: 1,
  },
];

for (const { name, fates, tried, lookups } of CASES) {
  Deno.test(`connectTcp() ${name}`, async () => {
    using scenario = startNetwork(fates);
    using connection = await connectTcp("name", scenario.port, scenario.network);
    assertEquals([...scenario.tried], [...tried]);
    assertEquals(scenario.lookups(), lookups);
    assert(scenario.made.includes(connection));
    // Those that come second are closed, which the test's own check for leaks sees.
    await new Promise((resolve) => setTimeout(resolve, 2 * NEXT_ATTEMPT_DELAY));
  });
}

Deno.test("connectTcp() throws what the first address gave when all fail", async () => {
  using scenario = startNetwork({ "::1": "is refused", "127.0.0.1": "is refused" });
  await assertRejects(
    () => connectTcp("name", scenario.port, scenario.network),
    Deno.errors.ConnectionRefused,
    "::1",
  );
  assertEquals(scenario.tried, ["::1", "127.0.0.1", "::1"]);
});

Deno.test("connectTcp() gives the error of a name that has no address", async () => {
  await assertRejects(() => connectTcp("name.invalid", 443), Error, "lookup");
});

Deno.test("lookup() gives the addresses of a name, and an address itself", async () => {
  assert((await lookup("localhost")).some((address) => /^(127\.|::1$)/.test(address)));
  assertEquals(await lookup("127.0.0.3"), ["127.0.0.3"]);
});
