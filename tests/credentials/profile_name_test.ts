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
  Deno.test(`checkProfileName() takes "${name}"`, () => {
    checkProfileName(name, "--profile");
  });
}

const REFUSED: Record<string, string> = {
  "": "is empty",
  " a": "begins or ends with a space",
  "a\u00a0": "begins or ends with a space",
  "a\nb": "holds a character that cannot be seen",
  "a\rb": "holds a character that cannot be seen",
  "a\0": "holds a character that cannot be seen",
  "a\u001b[2Jb": "holds a character that cannot be seen",
  "a\u202eb": "holds a character that cannot be seen",
  "a\u2028b": "holds a character that cannot be seen",
  "\ud800": "holds a character that cannot be seen",
  "a]b": "holds one of",
  "[a": "holds one of",
  "a #b": "holds one of",
  "a;b": "holds one of",
  "DEFAULT": "stands for every profile at once",
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
    // What a terminal would follow must not be in it.
    assertEquals(/[\p{C}\p{Zl}\p{Zp}]/u.test(error.message), false, error.message);
    assertMatch(error.message, /^--profile \(from AWS_PROFILE\) ".*" cannot be a profile: it /);
  });
}
