import { assertEquals } from "@std/assert";

import { hostCheck } from "../../src/imds/host_check.ts";

const CASES: Record<string, { allowed: string[]; refused: string[] }> = {
  "127.0.0.1": {
    allowed: ["localhost", "localhost:1", "127.0.0.1:80", "127.1.2.3", "[::1]", "[::1]:8080"],
    refused: [
      "",
      "evil",
      "127.0.0.1.evil",
      "10.0.0.1",
      "[fe80::1]",
      "localhost:x",
      "a b",
      "x@localhost",
    ],
  },
  "10.1.2.3": {
    allowed: ["10.1.2.3", "10.1.2.3:9911", "localhost"],
    refused: ["10.1.2.4", "evil.example", "10.1.2.3.nip.io"],
  },
  "fd00::1": { allowed: ["[fd00::1]:1", "[FD00::1]"], refused: ["[fd00::2]", "fd00"] },
  "0.0.0.0": {
    allowed: ["10.9.8.7:1", "192.168.1.1", "[fe80::1]"],
    refused: ["evil.example", "host.internal", "1.2.3.4.evil"],
  },
  "::": { allowed: ["[fd00::1]", "10.0.0.1"], refused: ["evil.example"] },
};

for (const [address, { allowed, refused }] of Object.entries(CASES)) {
  Deno.test(`hostCheck() knows the machine's own hosts when it is bound to ${address}`, () => {
    const isAllowed = hostCheck(address);
    for (const host of allowed) assertEquals([host, isAllowed(host)], [host, true]);
    for (const host of refused) assertEquals([host, isAllowed(host)], [host, false]);
    for (const host of allowed) assertEquals([host, isAllowed(host)], [host, true]);
  });
}
