import { assertEquals, assertThrows } from "@std/assert";
import { HelperError } from "../../src/errors.ts";
import { parseAllowedUsers, type UserDeps } from "../../src/imds/allowed_users.ts";
import type { BindAddress } from "../../src/imds/listener/bind_address.ts";

const SOURCES = { users: "--allow-user", bind: "--bind" };
const LOOPBACK: BindAddress = { kind: "ip", address: "127.0.0.1", port: 9911 };
const MAPS = { whole: "         0          0 4294967295\n", small: "0 1000 1\n" };

function deps(map: string, operatingSystem = "linux"): UserDeps {
  return {
    operatingSystem,
    findUser: (name) => ({ alice: 1001, nobody: 65_534 })[name],
    readText: (path) => path === "/proc/self/uid_map" ? map : "65534\n",
  };
}

Deno.test("parseAllowedUsers() takes names and numbers, several in the text of a variable", () => {
  const parse = (...texts: string[]) => [
    ...parseAllowedUsers(texts, LOOPBACK, SOURCES, deps(MAPS.whole)),
  ];
  assertEquals(parse("alice"), [1001]);
  assertEquals(parse("0", "4294967294", "nobody"), [0, 4_294_967_294, 65_534]);
  assertEquals(parse("alice, 7 ", "7"), [1001, 7]);
  const socket: BindAddress = { kind: "unix", path: "/run/s" };
  assertEquals(parseAllowedUsers(["7"], socket, SOURCES, deps(MAPS.whole)).size, 1);
});

const REFUSED: readonly (readonly [string, UserDeps, BindAddress, string])[] = [
  ["alice", deps(MAPS.whole, "darwin"), LOOPBACK, "only Linux reports a client's user"],
  ["alice", deps(MAPS.whole), { ...LOOPBACK, address: "0.0.0.0" }, "only users of this machine"],
  ["alice", deps(MAPS.whole), { ...LOOPBACK, address: "192.0.2.1" }, "only users of this machine"],
  ["bob", deps(MAPS.whole), LOOPBACK, 'there is no user "bob"'],
  ["-1", deps(MAPS.whole), LOOPBACK, 'there is no user "-1"'],
  ["4294967295", deps(MAPS.whole), LOOPBACK, "at most 4294967294"],
  [" , ", deps(MAPS.whole), LOOPBACK, "it names no user"],
  ["nobody", deps(MAPS.small), LOOPBACK, "here 65534 is also any user outside of the namespace"],
  ["65534", deps(MAPS.small), LOOPBACK, "here 65534 is also any user outside of the namespace"],
];

for (const [text, system, bind, message] of REFUSED) {
  Deno.test(`parseAllowedUsers() refuses "${text}": ${message}`, () => {
    const error = assertThrows(
      () => parseAllowedUsers([text], bind, SOURCES, system),
      HelperError,
      message,
    );
    assertEquals([error.code, error.message.startsWith("--allow-user: ")], ["usage", true]);
  });
}
