import { assertEquals, assertMatch, assertThrows } from "@std/assert";

import { checkProfileName } from "../../src/credentials/profile/profile_name.ts";
import { HelperError } from "../../src/errors.ts";

for (
  const name of [
    "default",
    "Default",
    "a",
    "my profile",
    "profile x",
    "a.b-c_d/e@f%g:h+i",
    "münchen",
    "日本",
  ]
) {
  Deno.test(`checkProfileName() accepts "${name}"`, () => {
    checkProfileName(name, "--profile");
  });
}

const REFUSED: Record<string, string> = {
  "": "is empty",
  " a": "begins or ends with a space",
  "a\u00a0": "begins or ends with a space",
  "a\nb": "contains an invisible character",
  "a\rb": "contains an invisible character",
  "a\0": "contains an invisible character",
  "a\u001b[2Jb": "contains an invisible character",
  "a\u202eb": "contains an invisible character",
  "a\u2028b": "contains an invisible character",
  "\ud800": "contains an invisible character",
  "a]b": "contains one of",
  "[a": "contains one of",
  "a #b": "contains one of",
  "a;b": "contains one of",
  "DEFAULT": "applies to every profile",
  "__proto__": "is not read by AWS SDKs",
  "profile __proto__": "is not read by AWS SDKs",
};

for (const [name, why] of Object.entries(REFUSED)) {
  Deno.test(`checkProfileName() throws usage on one line for ${JSON.stringify(name)}`, () => {
    const error = assertThrows(
      () => checkProfileName(name, "--profile (from AWS_PROFILE)"),
      HelperError,
      why,
    );
    assertEquals(error.code, "usage");
    // It must not contain terminal control characters.
    assertEquals(/[\p{C}\p{Zl}\p{Zp}]/u.test(error.message), false, error.message);
    assertMatch(error.message, /^--profile \(from AWS_PROFILE\) ".*" cannot be a profile: it /);
  });
}
