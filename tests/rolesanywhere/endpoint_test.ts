import { assertEquals, assertGreater, assertThrows } from "@std/assert";

import { HelperError } from "../../src/errors.ts";
import { type EndpointChoice, resolveEndpoint } from "../../src/rolesanywhere/endpoint.ts";
import { testWithReference } from "../support/reference.ts";

interface EndpointCase {
  readonly documentation: string;
  readonly expect: { readonly endpoint?: { readonly url: string }; readonly error?: string };
  readonly params?: {
    readonly Region?: string;
    readonly Endpoint?: string;
    readonly UseFIPS?: boolean;
    readonly UseDualStack?: boolean;
  };
}

testWithReference(
  "endpoints",
  [],
  "resolveEndpoint() agrees with AWS's rules",
  async (folder, t) => {
    const { testCases }: { testCases: EndpointCase[] } = JSON.parse(
      Deno.readTextFileSync(folder.join("endpoint-tests-1.json")),
    );
    assertGreater(testCases.length, 30);
    for (const { documentation, expect, params = {} } of testCases) {
      // The flags exclude these: EXCLUSIONS in flags.ts.
      if (params.Endpoint !== undefined && (params.UseFIPS || params.UseDualStack)) continue;
      await t.step(documentation, () => {
        const choice: EndpointChoice = {
          ...(params.Region === undefined ? {} : { region: params.Region }),
          ...(params.Endpoint === undefined ? {} : { endpoint: params.Endpoint }),
          useFips: params.UseFIPS ?? false,
          useDualStack: params.UseDualStack ?? false,
        };
        if (expect.endpoint) {
          assertEquals(resolveEndpoint(choice).href, new URL(expect.endpoint.url).href);
        } else {
          assertEquals(assertThrows(() => resolveEndpoint(choice), HelperError).code, "usage");
        }
      });
    }
  },
);

const PLAIN = { useFips: false, useDualStack: false };

const REGIONS: Record<string, string> = {
  "us-east-1": "rolesanywhere.us-east-1.amazonaws.com",
  "mx-central-1": "rolesanywhere.mx-central-1.amazonaws.com",
  "xx-new-9": "rolesanywhere.xx-new-9.amazonaws.com",
  "cn-northwest-1": "rolesanywhere.cn-northwest-1.amazonaws.com.cn",
  "us-gov-west-1": "rolesanywhere.us-gov-west-1.amazonaws.com",
  "us-iso-west-1": "rolesanywhere.us-iso-west-1.c2s.ic.gov",
  "us-isob-east-1": "rolesanywhere.us-isob-east-1.sc2s.sgov.gov",
  "eusc-de-east-1": "rolesanywhere.eusc-de-east-1.amazonaws.eu",
};

for (const [region, host] of Object.entries(REGIONS)) {
  Deno.test(`resolveEndpoint() finds the partition of the region ${region}`, () => {
    assertEquals(resolveEndpoint({ ...PLAIN, region }).href, `https://${host}/`);
  });
}

for (
  const region of ["", "us east", "US-EAST-1", "a.b", "a/b", "-a", "a-", "a@b", "a".repeat(64)]
) {
  Deno.test(`resolveEndpoint() throws usage when the region is "${region}"`, () => {
    const error = assertThrows(() => resolveEndpoint({ ...PLAIN, region }), HelperError);
    assertEquals(error.code, "usage");
  });
}

const ENDPOINTS: Record<string, string> = {
  "https://example.com": "https://example.com/",
  "https://example.com/": "https://example.com/",
  "https://example.com:8443/a/b//": "https://example.com:8443/a/b",
  "HTTPS://EXAMPLE.com": "https://example.com/",
  "http://localhost:9000": "http://localhost:9000/",
  "http://127.0.0.1:9000": "http://127.0.0.1:9000/",
  "http://127.8.8.8": "http://127.8.8.8/",
  "http://[::1]:9000": "http://[::1]:9000/",
};

for (const [endpoint, href] of Object.entries(ENDPOINTS)) {
  Deno.test(`resolveEndpoint() accepts the endpoint ${endpoint}`, () => {
    assertEquals(resolveEndpoint({ ...PLAIN, endpoint, region: "us-east-1" }).href, href);
  });
}

const REFUSED_ENDPOINTS = [
  "",
  "example.com",
  "localhost:8080",
  "ftp://example.com",
  "https://",
  "http://example.com",
  "http://10.0.0.1",
  "http://127.0.0.1.example.com",
  "http://localhost.example.com",
  "http://[::2]",
  "http://0.0.0.0",
  "https://user@example.com",
  "https://user:secret@example.com",
  "https://example.com/?a=b",
  "https://example.com/#a",
];

for (const endpoint of REFUSED_ENDPOINTS) {
  Deno.test(`resolveEndpoint() throws usage without a password when the endpoint is "${endpoint}"`, () => {
    const error = assertThrows(() => resolveEndpoint({ ...PLAIN, endpoint }), HelperError);
    assertEquals(error.code, "usage");
    assertEquals(error.message.includes("secret"), false);
  });
}

Deno.test("resolveEndpoint() keeps a password out of the error when the URL's scheme is wrong", () => {
  for (const endpoint of ["ftp://user:secret@example.com", "user:secret@example.com"]) {
    const error = assertThrows(() => resolveEndpoint({ ...PLAIN, endpoint }), HelperError);
    assertEquals(error.message.includes("secret"), false, error.message);
  }
});
