import { assertEquals } from "@std/assert";

import { SIGNING_ALGORITHMS } from "../../src/rolesanywhere/algorithms.ts";
import { KEY_TYPES } from "../../src/x509/key_types.ts";

Deno.test("SIGNING_ALGORITHMS has every key type once, under its own name", () => {
  assertEquals(Object.keys(SIGNING_ALGORITHMS).sort(), Object.values(KEY_TYPES).sort());
  for (const [keyType, algorithm] of Object.entries(SIGNING_ALGORITHMS)) {
    assertEquals(algorithm.keyType, keyType);
  }
});

Deno.test("SIGNING_ALGORITHMS names what the service and read-certificate-data call them", () => {
  const { RSA, EC, "ML-DSA-65": mlDsa } = SIGNING_ALGORITHMS;
  assertEquals([RSA.name, EC.name, mlDsa.name], [
    "AWS4-X509-RSA-SHA256",
    "AWS4-X509-ECDSA-SHA256",
    "AWS4-X509-MLDSA",
  ]);
  assertEquals([RSA.digest, EC.digest], ["SHA-256", "SHA-256"]);
  assertEquals(RSA.supportedAlgorithms, ["RSASHA256", "RSASHA384", "RSASHA512"]);
  assertEquals(EC.supportedAlgorithms, ["ECSHA256", "ECSHA384", "ECSHA512"]);
  assertEquals(mlDsa.supportedAlgorithms, ["ML-DSA-65"]);
});
