import { assert, assertEquals, assertRejects } from "@std/assert";

import { lookup } from "../../src/http/name_lookup.ts";
import { connectTcp, type NetworkDeps, NEXT_ATTEMPT_DELAY } from "../../src/http/tcp_connection.ts";

/** Result of a connection to an address. */
type Outcome = "connects" | "is refused" | "hangs" | "connects late";

/** Returns a listener and a network that has a result for each address; the name is its first address. */
function startNetwork(outcomes: Readonly<Record<string, Outcome>>) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const addresses = Object.keys(outcomes);
  const tried: string[] = [];
  const made: Deno.TcpConn[] = [];
  let lookups = 0;
  // A connection that hangs is an operation of the runtime, which keeps the event loop running.
  const operation = setInterval(() => {}, 1000);
  const network: NetworkDeps = {
    async connect(hostname, port) {
      const address = hostname === "name" ? addresses[0] ?? "" : hostname;
      tried.push(address);
      const outcome = outcomes[address];
      if (outcome === "is refused") throw new Deno.errors.ConnectionRefused(address);
      if (outcome === "hangs") {
        return await new Promise(() => {});
      }
      const later = outcome === "connects late" ? 2 * NEXT_ATTEMPT_DELAY : 0;
      if (later > 0) await new Promise((resolve) => setTimeout(resolve, later));
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      made.push(connection);
      return connection;
    },
    resolve() {
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
    [Symbol.dispose]: () => {
      clearInterval(operation);
      listener.close();
    },
  };
}

/** Results by address, the order of the attempts, and which of them connect. */
const CASES: readonly {
  readonly name: string;
  readonly outcomes: Readonly<Record<string, Outcome>>;
  readonly tried: readonly string[];
  readonly lookups: number;
}[] = [
  {
    name: "takes the first address that a name has, and looks nothing up",
    outcomes: { "::1": "connects", "127.0.0.1": "connects" },
    tried: ["::1"],
    lookups: 0,
  },
  {
    name: "goes on to IPv4 when IPv6 is refused",
    outcomes: { "::1": "is refused", "::2": "connects", "127.0.0.1": "connects" },
    tried: ["::1", "127.0.0.1"],
    lookups: 1,
  },
  {
    name: "goes on to IPv4 when IPv6 leads nowhere",
    outcomes: { "::1": "hangs", "127.0.0.1": "connects" },
    tried: ["::1", "127.0.0.1"],
    lookups: 1,
  },
  {
    name: "tries every address",
    outcomes: { "::1": "hangs", "::2": "connects", "127.0.0.1": "is refused" },
    tried: ["::1", "127.0.0.1", "::2"],
    lookups: 1,
  },
  {
    name: "waits for a slow address when the others fail",
    outcomes: { "127.0.0.1": "connects late", "::1": "is refused" },
    tried: ["127.0.0.1", "::1", "127.0.0.1"],
    lookups: 1,
  },
  {
    name: "waits for the only address",
    outcomes: { "127.0.0.1": "connects late" },
    tried: ["127.0.0.1"],
    lookups: 1,
  },
];

for (const { name, outcomes, tried, lookups } of CASES) {
  Deno.test(`connectTcp() ${name}`, async () => {
    using scenario = startNetwork(outcomes);
    using connection = await connectTcp("name", scenario.port, scenario.network);
    assertEquals([...scenario.tried], [...tried]);
    assertEquals(scenario.lookups(), lookups);
    assert(scenario.made.includes(connection));
    // The other connections are closed; the test runner's check for leaks verifies it.
    await new Promise((resolve) => setTimeout(resolve, 2 * NEXT_ATTEMPT_DELAY));
  });
}

Deno.test("connectTcp() throws the error of the first address if all fail", async () => {
  using scenario = startNetwork({ "::1": "is refused", "127.0.0.1": "is refused" });
  await assertRejects(
    () => connectTcp("name", scenario.port, scenario.network),
    Deno.errors.ConnectionRefused,
    "::1",
  );
  assertEquals(scenario.tried, ["::1", "127.0.0.1", "::1"]);
});

Deno.test("connectTcp() throws the error of a name without addresses", async () => {
  await assertRejects(() => connectTcp("name.invalid", 443), Error, "lookup");
});

Deno.test("lookup() returns the addresses of a name, and an address itself", async () => {
  assert((await lookup("localhost")).some((address) => /^(127\.|::1$)/.test(address)));
  assertEquals(await lookup("127.0.0.3"), ["127.0.0.3"]);
});
