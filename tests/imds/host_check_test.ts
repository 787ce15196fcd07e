import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";

import { HelperError } from "../../src/errors.ts";
import { hostCheck, hostRefusal, parseHostNames } from "../../src/imds/host_check.ts";

const ALLOWED = [
  "localhost",
  "localhost:1",
  "localhost:",
  "LocalHost.:9911",
  "127.0.0.1:80",
  "127.1.2.3",
  "169.254.169.254",
  "10.9.8.7:1",
  "[::1]",
  "[::1]:8080",
  "::1",
  "[FD00:ec2::254]:80",
  "[fe80::1%25eth0]",
  "[::ffff:10.0.0.1]",
  "host.docker.internal",
  "HOST.docker.internal.:9911",
  "helper.default.svc:80",
];
const REFUSED = [
  "",
  "evil",
  "evil.example:80",
  "127.0.0.1.evil",
  "10.1.2.3.nip.io",
  "127.1",
  "2130706433",
  "0x7f.0.0.1",
  "127.999.999.999",
  "[fe80::1",
  "[10.0.0.1]",
  "[host.docker.internal]",
  "localhost:x",
  "a b",
  "x@localhost",
  "x.localhost",
  "x.host.docker.internal",
  "host.docker.internal..",
  "docker.internal",
  "dead:beef",
];

Deno.test("hostCheck() allows address literals, localhost and its names", () => {
  const isAllowed = hostCheck(["Host.Docker.Internal.", "helper.default.svc"]);
  for (const host of [...ALLOWED, ...ALLOWED]) {
    assertEquals([host, isAllowed(host)], [host, true]);
  }
  for (const host of REFUSED) assertEquals([host, isAllowed(host)], [host, false]);
});

Deno.test("hostRefusal() names the flag, and the host only if it is a name", () => {
  assertEquals(
    hostRefusal("Host.docker.internal:80"),
    "Host host.docker.internal: not a name of this endpoint; " +
      "start serve with --allow-host host.docker.internal",
  );
  for (const host of ["", "<script>", "a b", "x@y", "x".repeat(300), "a..b", "127.0.0.1/"]) {
    assertEquals(
      hostRefusal(host),
      "Host: not a name of this endpoint; start serve with --allow-host NAME",
    );
  }
});

Deno.test("parseHostNames() accepts names in one text or several", () => {
  assertEquals(
    parseHostNames(["host.docker.internal, my_helper  B.example.", "c"], "--allow-host"),
    ["host.docker.internal", "my_helper", "b.example", "c"],
  );
  assertEquals(parseHostNames([], "--allow-host"), []);
});

for (
  const text of ["http://a.example", "a.example:80", "*.example", "a/b", "é.example", "-a", "a..b"]
) {
  Deno.test(`parseHostNames() refuses ${text} with the flag's name`, () => {
    const error = assertThrows(() => parseHostNames([text], "--allow-host"), HelperError);
    assertEquals(error.code, "usage");
    assertStringIncludes(error.message, ": not a host name; use one");
  });
}
