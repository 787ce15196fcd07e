import { assertEquals } from "@std/assert";
import { createHash, createPublicKey } from "node:crypto";
import { testMessage } from "./test_message.ts";

/** A P-521 key whose y begins with 0 and 4, like the start of a point of P-256. One key in 512 has this form. */
const KEY = `-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQAqZIpWp5UJCQtoLxwa5zA/BAIuTR6
d3bGkk9kvatIJ01Tmq3H0KJMetCf0mzEKPgcZ+ImDwY7aFzRwubwXzIdQwkABCVA
X+1KCZpTSBLzhSetCrUyoJj2nL8alYuroFiKDHJjzTw1hdwrVI9AUvqD4Qvvj66A
plfhZ3MS36NlMKLeNP8=
-----END PUBLIC KEY-----
`;

Deno.test("the message of a P-521 key has its whole point, also if y looks like a shorter point", () => {
  const info = createPublicKey(KEY).export({ type: "spki", format: "der" });
  assertEquals([...info.subarray(-66, -64)], [0, 4]);
  const hash = createHash("sha256").update("IAM RA").update(info.subarray(-133)).digest();
  assertEquals([...testMessage(KEY).subarray(-32)], [...hash]);
});
