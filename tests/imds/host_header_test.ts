import { assertEquals } from "@std/assert";
import { hostHeaderCheck } from "../../src/imds/host_header.ts";

const VALID = [
  ...["localhost", "LOCALHOST:9911", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65535", "[::1]:80"],
  ...["::1", "169.254.169.254", "a.example:", "a_b.example", "1.2.3.4.", "host%2dname", "4a.b"],
];
const INVALID = [
  ...["", " ", "a b", "127.999.999.999", "127.0.0.1:99999", "127.0.0.1:65536", "127.0.0.1:x"],
  ...["1.2.3", "2130706433", "0x7f.1", "1.2.3.4.5", "localhost, localhost", "a@b", "a/b", "[::1"],
  ...["[1.2.3.4]", "[]", ":80", "a:1:2", "a:-1", "[::1]x", "é.example", "a%zz", "http://a"],
];

Deno.test("hostHeaderCheck() accepts one valid host, and nothing else", () => {
  const isValid = hostHeaderCheck();
  for (const value of VALID) assertEquals([value, isValid(value)], [value, true]);
  for (const value of INVALID) assertEquals([value, isValid(value)], [value, false]);
  assertEquals(isValid(null), false);
  for (const value of VALID) assertEquals([value, isValid(value)], [value, true]);
});
