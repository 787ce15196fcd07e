import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";

import { HelperError } from "../../src/errors.ts";
import { unavailableKeystore } from "../../src/keystore/unavailable.ts";
import { parseKeystoreUri, SCHEMES } from "../../src/keystore/uri.ts";
import { NO_CONTEXT } from "../support/scripted_context.ts";

Deno.test("unavailableKeystore() refuses every use, naming source and keystore", async () => {
  const keystore = unavailableKeystore("cng", "Windows");
  const uri = parseKeystoreUri("cng:subject=a?pin-value=1234", "--certificate");
  for (
    const use of [
      () => keystore.openKey(uri, NO_CONTEXT),
      () => keystore.readCertificates(uri, NO_CONTEXT),
    ]
  ) {
    const error = await assertRejects(use, HelperError, SCHEMES.cng.title);
    assertEquals(error.code, "keystore-unavailable");
    assertStringIncludes(error.message, uri.displayName);
    assertEquals(error.message.includes("1234"), false);
  }
});
