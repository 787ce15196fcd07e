import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";

import { endpointUrl, parseBindAddress } from "../../src/imds/listener/bind_address.ts";
import { HelperError } from "../../src/errors.ts";

const PLAIN = { hopLimit: 64, allowRemote: false };

const ADDRESSES: Record<string, string> = {
  "127.0.0.1": "127.0.0.1",
  "127.0.0.2": "127.0.0.2",
  "localhost": "127.0.0.1",
  "::1": "::1",
  "[::1]": "::1",
  "0:0:0:0:0:0:0:1": "::1",
};

for (const [text, address] of Object.entries(ADDRESSES)) {
  Deno.test(`parseBindAddress() accepts ${text}`, () => {
    assertEquals(parseBindAddress(text, 80, PLAIN), { kind: "ip", address, port: 80 });
  });
}

for (const text of ["0.0.0.0", "::", "10.0.0.1", "fe80::1", "192.168.0.1"]) {
  Deno.test(`parseBindAddress() refuses ${text} unless the hop limit is 1 or allowRemote is set`, () => {
    const error = assertThrows(() => parseBindAddress(text, 80, PLAIN), HelperError);
    assertEquals(error.code, "usage");
    assertStringIncludes(error.message, "--hop-limit 1");
    assertStringIncludes(error.message, "--allow-remote");
    for (
      const allowed of [{ hopLimit: 1, allowRemote: false }, { hopLimit: 64, allowRemote: true }]
    ) {
      assertEquals(parseBindAddress(text, 80, allowed), { kind: "ip", address: text, port: 80 });
    }
  });
}

for (
  const text of [
    "",
    "host.example",
    "256.0.0.1",
    "1.2.3",
    "01.2.3.4.5",
    ":::",
    "12345::",
    "fe80::1%eth0",
    "[::1",
  ]
) {
  Deno.test(`parseBindAddress() throws usage when the address is "${text}"`, () => {
    const error = assertThrows(() => parseBindAddress(text, 80, PLAIN), HelperError, "--bind");
    assertEquals(error.code, "usage");
  });
}

for (const text of ["127.0.0.1:1338", "localhost:80", "[::1]:9911", "host:1"]) {
  Deno.test(`parseBindAddress() names --port when the address is ${text}`, () => {
    assertThrows(
      () => parseBindAddress(text, 80, PLAIN),
      HelperError,
      "--bind has a port; write the address only, and the port with --port",
    );
  });
}

for (const text of ["http://127.0.0.1", "HTTPS://localhost:1/", "tcp://[::1]:80"]) {
  Deno.test(`parseBindAddress() refuses the URL ${text}`, () => {
    assertThrows(
      () => parseBindAddress(text, 80, { ...PLAIN, source: "AWS_SIGNING_HELPER_BIND" }),
      HelperError,
      "AWS_SIGNING_HELPER_BIND is a URL; write the IP address only, and its port with --port",
    );
  });
}

Deno.test("parseBindAddress() reads text with a slash as the path of a Unix socket", () => {
  for (
    const text of [
      "/run/helper.sock",
      "./helper.sock",
      "unix:/run/helper.sock",
      "unix:///run/helper.sock",
    ]
  ) {
    const path = text.replace("unix:", "");
    assertEquals(parseBindAddress(text, 80, PLAIN), { kind: "unix", path });
  }
});

Deno.test("endpointUrl() has brackets around IPv6 and no trailing slash, and a reachable address", () => {
  const url = (address: string) => endpointUrl({ address, port: 9911 });
  assertEquals(url("127.0.0.1"), "http://127.0.0.1:9911");
  assertEquals(url("::1"), "http://[::1]:9911");
  assertEquals(url("0.0.0.0"), "http://127.0.0.1:9911");
  assertEquals(url("::"), "http://[::1]:9911");
});
