import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";

import { FlagValues, type GivenValues } from "../../src/cli/flags/flag_values.ts";
import {
  type CommandName,
  commandOf,
  COMMANDS,
  EXCLUSIONS,
  type FlagName,
  flagOf,
  variableOf,
} from "../../src/cli/flags/flags.ts";
import { HelperError } from "../../src/errors.ts";

type Given = Partial<Record<FlagName, string | readonly string[] | boolean>>;

const SESSION: Given = { "role-arn": "r", "profile-arn": "p", "trust-anchor-arn": "t" };

function valuesOf(
  command: CommandName,
  given: Given,
  variables: Readonly<Record<string, string>> = {},
): FlagValues {
  const map: GivenValues = new Map(Object.entries(given) as [FlagName, string][]);
  return new FlagValues(command, map, (name) => variables[name]);
}

function refusal(...args: Parameters<typeof valuesOf>): string {
  const error = assertThrows(() => valuesOf(...args), HelperError);
  assertEquals(error.code, "usage");
  return error.message;
}

/** Returns a value that passes the flag's own checks. */
const valid = (name: FlagName): string | boolean => {
  const { kind, choices, range } = flagOf(name);
  return kind === "switch" ? true : choices?.[0] ?? String(range?.min ?? "value");
};

const commandNames = Object.keys(COMMANDS) as CommandName[];

for (const { flags: [a, b], commands, unless } of EXCLUSIONS) {
  for (const command of commandNames) {
    const { flags, required } = commandOf(command);
    if (!flags.includes(a) || !flags.includes(b)) continue;
    const base: Given = Object.fromEntries(required.map((name) => [name, "value"]));
    const given: Given = { ...base, [a]: valid(a), [b]: valid(b) };

    if (commands && !commands.includes(command)) {
      Deno.test(`FlagValues accepts --${a} with --${b} in ${command}`, () => {
        valuesOf(command, { ...given, certificate: "c" });
      });
      continue;
    }
    Deno.test(`FlagValues throws usage naming both when --${a} and --${b} are given to ${command}`, () => {
      const message = refusal(command, given);
      assertStringIncludes(message, `--${a} `);
      assertStringIncludes(message, `--${b} `);
    });
    Deno.test(`FlagValues throws usage when --${a} and the variable of --${b} are given to ${command}`, () => {
      const message = refusal(command, { ...base, [a]: valid(a) }, {
        [variableOf(b)]: String(valid(b)),
      });
      assertStringIncludes(message, variableOf(b));
    });
    if (unless && flags.includes(unless)) {
      Deno.test(`FlagValues accepts --${a} and --${b} with --${unless} in ${command}`, () => {
        valuesOf(command, { ...given, [unless]: [valid(unless).toString()] });
      });
    }
    if (flagOf(b).kind === "switch") {
      Deno.test(`FlagValues accepts --${a} with --${b}=false in ${command}`, () => {
        const source: Given = commandOf(command).oneOf.includes(a)
          ? {}
          : a === "tpm-key-password" || a === "no-tpm-key-password"
          ? { certificate: "c" }
          : { "cert-selector": ["s"] };
        valuesOf(command, { ...base, ...source, [a]: valid(a), [b]: false });
      });
    }
  }
}

Deno.test("EXCLUSIONS has every pair of the contract", () => {
  const pairs = EXCLUSIONS.map(({ flags }) => flags.toSorted().join(" "));
  const contract: Partial<Record<FlagName, FlagName[]>> = {
    "endpoint": ["use-fips-endpoint", "use-dualstack-endpoint"],
    "sts-endpoint": ["use-fips-endpoint", "use-dualstack-endpoint"],
    "certificate": ["cert-selector", "system-store-name", "system-store-location"],
    "private-key": [
      "system-store-name",
      "system-store-location",
      "use-latest-expiring-certificate",
    ],
    "use-latest-expiring-certificate": ["intermediates", "reuse-pin"],
    "cert-selector": ["intermediates", "reuse-pin", "tpm-key-password", "no-tpm-key-password"],
    "system-store-name": ["reuse-pin"],
    "system-store-location": ["reuse-pin"],
    "tpm-key-password": ["reuse-pin", "no-tpm-key-password", "pkcs8-password"],
    "no-tpm-key-password": ["reuse-pin"],
    "roles": ["container-credentials", "container-token-file"],
  };
  const expected = Object.entries(contract)
    .flatMap(([a, others]) => others.map((b) => [a, b].toSorted().join(" ")));
  assertEquals(pairs.toSorted(), expected.toSorted());
});

Deno.test("FlagValues takes the flag, then its variable, then another program's, then the default", () => {
  const own = { AWS_SIGNING_HELPER_CA_BUNDLE: "own" };
  const other = { AWS_CA_BUNDLE: "other" };
  const base = { ...SESSION, certificate: "c" };
  const bundle = (given: Given, variables: Record<string, string>) =>
    valuesOf("credential-process", { ...base, ...given }, variables).text("ca-bundle");
  assertEquals(bundle({ "ca-bundle": "flag" }, { ...own, ...other }), "flag");
  assertEquals(bundle({}, { ...own, ...other }), "own");
  assertEquals(bundle({}, other), "other");
  assertEquals(bundle({}, { AWS_SIGNING_HELPER_CA_BUNDLE: "", ...other }), "other");
  assertEquals(bundle({}, {}), undefined);
  const duration = valuesOf("credential-process", base).integer("session-duration");
  assertEquals(duration, 3600);
});

Deno.test("FlagValues reads every flag from AWS_SIGNING_HELPER_ and its name in capitals", () => {
  assertEquals(variableOf("role-arn"), "AWS_SIGNING_HELPER_ROLE_ARN");
  const values = valuesOf("credential-process", {}, {
    AWS_SIGNING_HELPER_ROLE_ARN: "r",
    AWS_SIGNING_HELPER_PROFILE_ARN: "p",
    AWS_SIGNING_HELPER_TRUST_ANCHOR_ARN: "t",
    AWS_SIGNING_HELPER_CERTIFICATE: "c",
    AWS_SIGNING_HELPER_SESSION_DURATION: "900",
    AWS_SIGNING_HELPER_DEBUG: "TRUE",
    AWS_SIGNING_HELPER_WITH_PROXY: "0",
  });
  assertEquals([values.required("role-arn"), values.integer("session-duration")], ["r", 900]);
  assertEquals([values.isOn("debug"), values.isOn("with-proxy")], [true, false]);
});

Deno.test("FlagValues prefers a switch turned off on the command line to its variable", () => {
  const variables = { AWS_SIGNING_HELPER_DEBUG: "true" };
  const given: Given = { certificate: "c" };
  assertEquals(valuesOf("sign-string", given, variables).isOn("debug"), true);
  assertEquals(valuesOf("sign-string", { ...given, debug: false }, variables).isOn("debug"), false);
});

Deno.test("FlagValues ignores variables of flags that the command does not have", () => {
  valuesOf("version", {}, { AWS_SIGNING_HELPER_SESSION_DURATION: "wrong" });
});

Deno.test("FlagValues ignores another program's variable when a flag excludes it", () => {
  const values = valuesOf("sign-string", { certificate: "c", "pkcs8-password": "pass:a" }, {
    TPM_CHILD_KEY_PASSWORD: "b",
  });
  assertEquals(values.secretSource("tpm-key-password"), undefined);
  assertEquals(values.secretSource("pkcs8-password"), { text: "pass:a", literal: false });
});

const AMBIENT = { AWS_ENDPOINT_URL: "https://e", AWS_USE_FIPS_ENDPOINT: "true" };

Deno.test("FlagValues drops the weaker of two settings that exclude each other", () => {
  const base: Given = { ...SESSION, certificate: "c" };
  const settings = new Map(
    [
      ["endpoint", { text: "https://file", source: "file" }],
      ["use-dualstack-endpoint", { text: "false", source: "file" }],
    ] as const,
  );
  const flags = (given: Given, variables: Record<string, string>) => {
    const map: GivenValues = new Map(Object.entries({ ...base, ...given }) as [FlagName, string][]);
    const values = new FlagValues("credential-process", map, (name) => variables[name], settings);
    return [values.text("endpoint"), values.isOn("use-fips-endpoint")];
  };
  assertEquals(flags({}, {}), ["https://file", false]);
  assertEquals(flags({}, { AWS_ENDPOINT_URL: "https://e" }), ["https://e", false]);
  assertEquals(flags({}, { AWS_USE_FIPS_ENDPOINT: "true" }), ["https://file", false]);
  assertEquals(flags({}, AMBIENT), ["https://e", false]);
  assertEquals(flags({ "use-fips-endpoint": true }, AMBIENT), [undefined, true]);
  assertEquals(flags({ endpoint: "https://flag" }, AMBIENT), ["https://flag", false]);
});

Deno.test("FlagValues reads the endpoint from AWS's variables, the service's own first", () => {
  const endpoint = (variables: Record<string, string>, given: Given = {}) =>
    valuesOf("credential-process", { ...SESSION, certificate: "c", ...given }, variables)
      .text("endpoint");
  const all = { AWS_ENDPOINT_URL: "all" };
  const both = { ...all, AWS_ENDPOINT_URL_ROLESANYWHERE: "own" };
  assertEquals([endpoint(all), endpoint(both)], ["all", "own"]);
  assertEquals(endpoint({ ...both, AWS_SIGNING_HELPER_ENDPOINT: "variable" }), "variable");
  assertEquals(endpoint(both, { endpoint: "flag" }), "flag");
  assertEquals(endpoint(both, { endpoint: "" }), "own");
  for (const [ignore, expected] of [["true", undefined], ["TRUE", undefined], ["false", "own"]]) {
    const variables = { ...both, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: ignore ?? "" };
    assertEquals(endpoint(variables), expected);
  }
});

Deno.test("FlagValues takes another program's secret literally, its own as a source", () => {
  const source = (variables: Record<string, string>) =>
    valuesOf("sign-string", { certificate: "c" }, variables).secretSource("tpm-key-password");
  assertEquals(source({ TPM_CHILD_KEY_PASSWORD: "env:X" }), { text: "env:X", literal: true });
  assertEquals(source({ AWS_SIGNING_HELPER_TPM_KEY_PASSWORD: "env:X" }), {
    text: "env:X",
    literal: false,
  });
  assertEquals(source({}), undefined);
});

Deno.test("FlagValues throws usage naming the missing flags", () => {
  const message = refusal("credential-process", { certificate: "c", "profile-arn": "p" });
  assertStringIncludes(message, "--role-arn, --trust-anchor-arn are missing");
  assertStringIncludes(
    refusal("credential-process", { "profile-arn": "p" }),
    "--role-arn, --trust-anchor-arn, --certificate or --cert-selector are missing; " +
      "see aws_signing_helper credential-process --help",
  );
  assertStringIncludes(refusal("sign-string", {}), "--private-key or --certificate");
  assertStringIncludes(
    refusal("credential-process", { ...SESSION, "private-key": "k" }),
    "--certificate or --cert-selector",
  );
  assertStringIncludes(refusal("read-certificate-data", {}), "--certificate");
});

for (const duration of ["900", "43200"]) {
  Deno.test(`FlagValues takes --session-duration ${duration}`, () => {
    const given = { ...SESSION, certificate: "c", "session-duration": duration };
    assertEquals(
      valuesOf("credential-process", given).integer("session-duration"),
      Number(duration),
    );
  });
}

for (const duration of ["899", "43201", "1h", "-900", "1e3", "9e2", "0x400", "900.0", " 900"]) {
  Deno.test(`FlagValues throws usage when --session-duration is "${duration}"`, () => {
    const given = { ...SESSION, certificate: "c", "session-duration": duration };
    assertStringIncludes(refusal("credential-process", given), "900 to 43200");
  });
}

Deno.test("FlagValues throws usage, naming the variable, when a value is not one of its choices", () => {
  const given = { certificate: "c" };
  assertStringIncludes(
    refusal("sign-string", { ...given, format: "xml" }),
    '--format is "xml"; it must be one of json, text, bin',
  );
  assertStringIncludes(
    refusal("sign-string", given, { AWS_SIGNING_HELPER_DIGEST: "sha256" }),
    'AWS_SIGNING_HELPER_DIGEST is "sha256"',
  );
  assertStringIncludes(
    refusal("sign-string", given, { AWS_SIGNING_HELPER_DEBUG: "maybe" }),
    "takes only true, 1, false or 0",
  );
});

Deno.test("FlagValues returns all texts of a list, and one from its variable", () => {
  const lists = (given: Given, variables = {}) =>
    valuesOf("sign-string", given, variables).list("cert-selector");
  assertEquals(lists({ "cert-selector": ["a", "b"] }), ["a", "b"]);
  assertEquals(lists({}, { AWS_SIGNING_HELPER_CERT_SELECTOR: "a b" }), ["a b"]);
  assertEquals(lists({ certificate: "c" }), undefined);
});

Deno.test("given() leaves out other programs' variables and defaults", () => {
  const variables = { PKCS11_MODULE_PATH: "/other.so" };
  const ambient = valuesOf("sign-string", { "private-key": "k" }, variables);
  assertEquals([ambient.text("pkcs11-lib"), ambient.given("pkcs11-lib")], ["/other.so", undefined]);
  const own = { ...variables, [variableOf("pkcs11-lib")]: "/own.so" };
  const given = valuesOf("sign-string", { "private-key": "k" }, own);
  assertEquals([given.text("pkcs11-lib"), given.given("pkcs11-lib")], ["/own.so", "/own.so"]);
  const flagged = valuesOf("sign-string", { "private-key": "k", "pkcs11-lib": "/flag.so" }, own);
  assertEquals(flagged.given("pkcs11-lib"), "/flag.so");
  assertEquals([flagged.text("format"), flagged.given("format")], ["json", undefined]);
});
