import { assertEquals, assertThrows } from "@std/assert";

import { isSpiffeId, parseAddress, readTarget } from "../../../plugins/spiffe/address.ts";
import { HelperError } from "../../../src/errors.ts";
import { parseKeystoreUri } from "../../../src/keystore/uri.ts";

const read = (text: string, variable?: string) =>
  readTarget(
    parseKeystoreUri(text, "--certificate"),
    (name) => name === "SPIFFE_ENDPOINT_SOCKET" ? variable : undefined,
  );

Deno.test("readTarget() takes the address from the URI, else from the variable", () => {
  const address = { transport: "unix", path: "/run/agent.sock" } as const;
  const name = "spiffe:unix:///run/agent.sock";
  assertEquals(read(name, "unix:///other"), { address, name });
  assertEquals(read("spiffe:", "unix:///run/agent.sock"), { address, name });
  assertEquals(read("SPIFFE:unix:/run/agent.sock"), {
    address,
    name: "spiffe:unix:/run/agent.sock",
  });
});

Deno.test("readTarget() takes the ID after an address, and without one", () => {
  const id = "spiffe://example.org/ns/default/sa/web";
  assertEquals(read(`spiffe:unix:///a;id=${id}`).id, id);
  assertEquals(read(`spiffe:id=${id}`, "unix:///a").id, id);
  assertEquals(
    read("spiffe:id=spiffe%3A%2F%2Fexample.org%2Fweb", "unix:///a").id,
    "spiffe://example.org/web",
  );
});

for (
  const [text, expected] of [
    ["unix:///a/b", { transport: "unix", path: "/a/b" }],
    ["unix:/a%20b", { transport: "unix", path: "/a b" }],
    [`unix:///${"x".repeat(106)}`, { transport: "unix", path: `/${"x".repeat(106)}` }],
    ["tcp://127.0.0.1:8081", { transport: "tcp", hostname: "127.0.0.1", port: 8081 }],
    ["tcp://127.0.0.1:8081/", { transport: "tcp", hostname: "127.0.0.1", port: 8081 }],
    ["tcp://[::1]:8081", { transport: "tcp", hostname: "::1", port: 8081 }],
    ["unix://host/a", undefined],
    ["unix:a", undefined],
    ["unix:///a%00b", undefined],
    ["unix:///a%zz", undefined],
    ["tcp://127.0.0.1:8081/path", undefined],
    ["tcp://user@127.0.0.1:8081", undefined],
    ["tcp://10.0.0.1:8081", undefined],
    ["http://127.0.0.1:8081", undefined],
    ["/run/agent.sock", undefined],
  ] as const
) {
  Deno.test(`parseAddress() reads ${text.slice(0, 40)} as ${expected?.transport ?? "nothing"}`, () => {
    assertEquals(parseAddress(text), expected);
  });
}

for (
  const [id, isValid] of [
    ["spiffe://example.org", true],
    ["spiffe://example.org/a/b.c-d_E", true],
    ["spiffe://example.org/", false],
    ["spiffe://example.org/a//b", false],
    ["spiffe://example.org/a/../b", false],
    ["spiffe://example.org/a/.", false],
    ["spiffe://Example.org/a", false],
    ["spiffe://example.org:80/a", false],
    ["spiffe://example.org/a?b", false],
    ["https://example.org/a", false],
    [`spiffe://example.org/${"a".repeat(2048)}`, false],
  ] as const
) {
  Deno.test(`isSpiffeId() is ${isValid} for ${id.slice(0, 40)}`, () => {
    assertEquals(isSpiffeId(id), isValid);
  });
}

Deno.test("readTarget() refuses an empty variable", () => {
  assertThrows(() => read("spiffe:", ""), HelperError, "SPIFFE_ENDPOINT_SOCKET is not set");
  assertThrows(
    () => read("spiffe:", "agent.sock"),
    HelperError,
    "SPIFFE_ENDPOINT_SOCKET: not an address",
  );
});

for (
  const text of ["/run/agent.sock", "run/agent.sock", "//example.org/web", "/run/agent.sock;id=x"]
) {
  Deno.test(`readTarget() names the forms of an address for spiffe:${text}`, () => {
    assertThrows(
      () => read(`spiffe:${text}`),
      HelperError,
      "not an address of a Workload API; use unix:///path/of/socket",
    );
  });
}
