import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";

import { HelperError } from "../../src/errors.ts";
import { chooseProxy, PROXY_VARIABLES } from "../../src/http/proxy.ts";

const choiceOf = (target: string, variables: Record<string, string>, enabled = true) =>
  chooseProxy(new URL(target), (name) => variables[name], enabled);

const proxyOf = (target: string, variables: Record<string, string>) =>
  choiceOf(target, variables).proxy?.url.href;

const HTTPS = "https://rolesanywhere.us-east-1.amazonaws.com/sessions";

const CHOSEN: [string, string, Record<string, string>, string | undefined][] = [
  ["no variable is set", HTTPS, {}, undefined],
  ["HTTPS_PROXY is set", HTTPS, { HTTPS_PROXY: "http://p:3128" }, "http://p:3128/"],
  ["https_proxy is set", HTTPS, { https_proxy: "http://p:3128" }, "http://p:3128/"],
  ["only HTTP_PROXY is set", HTTPS, { HTTP_PROXY: "http://p:3128" }, undefined],
  ["the target is http", "http://a.b", { HTTP_PROXY: "http://p:1" }, "http://p:1/"],
  ["the target is http, the variable https", "http://a.b", { HTTPS_PROXY: "http://p" }, undefined],
  ["ALL_PROXY is set", HTTPS, { ALL_PROXY: "http://p:1080" }, "http://p:1080/"],
  ["all_proxy is set", HTTPS, { all_proxy: "http://p:1080" }, "http://p:1080/"],
  ["both are set", HTTPS, { ALL_PROXY: "http://a", HTTPS_PROXY: "http://b" }, "http://b/"],
  ["the first is empty", HTTPS, { HTTPS_PROXY: " ", ALL_PROXY: "http://a" }, "http://a/"],
  ["it has no scheme", HTTPS, { HTTPS_PROXY: "p:3128" }, "http://p:3128/"],
  ["it has a user", HTTPS, { HTTPS_PROXY: "http://u:w@p:3128" }, "http://u:w@p:3128/"],
];

for (const [when, target, variables, expected] of CHOSEN) {
  Deno.test(`chooseProxy() returns ${expected ?? "none"} when ${when}`, () => {
    assertEquals(proxyOf(target, variables), expected);
  });
}

/** NO_PROXY, target, and true if the target is excluded. */
const NO_PROXY: [string, string, boolean][] = [
  ["*", HTTPS, true],
  ["", HTTPS, false],
  [" , ", HTTPS, false],
  ["rolesanywhere.us-east-1.amazonaws.com", HTTPS, true],
  ["ROLESANYWHERE.us-east-1.AmazonAWS.com", HTTPS, true],
  ["amazonaws.com", HTTPS, true],
  [".amazonaws.com", HTTPS, true],
  ["*.amazonaws.com", HTTPS, true],
  ["azonaws.com", HTTPS, false],
  ["com", HTTPS, true],
  ["example.org,amazonaws.com", HTTPS, true],
  ["example.org amazonaws.com", HTTPS, true],
  ["a, b ,\tamazonaws.com", HTTPS, true],
  ["amazonaws.com:443", HTTPS, true],
  ["amazonaws.com:8443", HTTPS, false],
  ["localhost:8443", "https://localhost:8443", true],
  ["localhost:8443", "https://localhost:8444", false],
  ["localhost", "https://localhost:8443", true],
  ["localhost:80", "http://localhost", true],
  ["127.0.0.1", "https://127.0.0.1:8443", true],
  ["27.0.0.1", "https://127.0.0.1:8443", false],
  ["::1", "https://[::1]:8443", true],
  ["[::1]", "https://[::1]:8443", true],
  ["[::1]:8443", "https://[::1]:8443", true],
  ["[::1]:8444", "https://[::1]:8443", false],
  ["::2", "https://[::1]:8443", false],
  ["rolesanywhere.us-east-1.amazonaws.com.evil.org", HTTPS, false],
  [".", HTTPS, false],
  ["amazonaws.com.", HTTPS, true],
  ["amazonaws.com", "https://rolesanywhere.us-east-1.amazonaws.com./", true],
  ["10.0.0.0/8", "https://10.1.2.3", true],
  ["10.0.0.0/8", "https://11.1.2.3", false],
  ["10.0.0.0/8", HTTPS, false],
  ["127.0.0.0/8", "https://127.0.0.1:8443", true],
  ["192.168.1.128/25", "https://192.168.1.200", true],
  ["192.168.1.128/25", "https://192.168.1.100", false],
  ["10.1.2.3/32", "https://10.1.2.3", true],
  ["0.0.0.0/0", "https://10.1.2.3", true],
  ["0.0.0.0/0", "https://[::1]", false],
  ["10.0.0.0/33", "https://10.0.0.0", false],
  ["10.0.0.0/", "https://10.0.0.0", false],
  ["10.0.0/8", "https://10.0.0.1", false],
  ["10.0.0.0/8/8", "https://10.0.0.1", false],
  ["fd00::/8", "https://[fd12:3456::1]", true],
  ["fd00::/8", "https://[fe80::1]", false],
  ["2001:db8::/32", "https://[2001:db8:1::1]", true],
  ["::/0", "https://[2001:db8:1::1]", true],
  ["0:0:0:0:0:0:0:1", "https://[::1]:8443", true],
  ["example.org,10.0.0.0/8", "https://10.9.9.9", true],
];

for (const [list, target, bypassed] of NO_PROXY) {
  Deno.test(`chooseProxy() ${bypassed ? "goes past" : "uses"} the proxy to ${target} when NO_PROXY is "${list}"`, () => {
    const proxies = { HTTPS_PROXY: "http://p", HTTP_PROXY: "http://p" };
    const expected = bypassed ? undefined : "http://p/";
    assertEquals(proxyOf(target, { ...proxies, NO_PROXY: list }), expected);
    assertEquals(proxyOf(target, { ...proxies, no_proxy: list }), expected);
  });
}

for (
  const value of [
    "ftp://p:secret@x",
    "http://",
    "socks5://secret",
    "https://secret",
    "http://u:secret@p:99999",
  ]
) {
  Deno.test(`chooseProxy() throws usage naming the variable, not its value, when it is ${value}`, () => {
    const error = assertThrows(() => proxyOf(HTTPS, { https_proxy: value }), HelperError);
    assertEquals([error.code, error.message.includes("https_proxy")], ["usage", true]);
    assertEquals(error.message.includes("secret"), false);
  });
}

/** Users and passwords that are not percent-encoded, and the escape that the message must name. */
const UNESCAPED: Record<string, string> = {
  "http://CORP\\user:secret@proxy:3128": "%5C",
  "CORP\\user:secret@proxy:3128": "%5C",
  "http://user:sec/ret@proxy:3128": "%2F",
  "http://user:sec#ret@proxy:3128": "%23",
  "http://user:sec?ret@proxy:3128": "%3F",
  "http://user@corp:sec@ret@proxy:3128": "%40",
};

for (const [value, escape] of Object.entries(UNESCAPED)) {
  Deno.test(`chooseProxy() throws usage naming ${escape} when the variable is ${value}`, () => {
    const error = assertThrows(() => proxyOf(HTTPS, { HTTPS_PROXY: value }), HelperError);
    assertEquals(error.code, "usage");
    for (const text of ["HTTPS_PROXY", escape]) assertStringIncludes(error.message, text);
    for (const part of ["secret", "sec", "ret", "corp", "CORP"]) {
      assertEquals(error.message.includes(part), false, error.message);
    }
  });
}

Deno.test("chooseProxy() names the variable that is ignored, by the flag or by NO_PROXY", () => {
  const variables = { https_proxy: "http://p" };
  assertEquals(choiceOf(HTTPS, variables, false), {
    ignoredProxy: "https_proxy is ignored (--with-proxy=false)",
  });
  assertEquals(choiceOf(HTTPS, { ...variables, NO_PROXY: "amazonaws.com" }), {
    ignoredProxy: "https_proxy is not used (NO_PROXY lists this host)",
  });
  assertEquals(choiceOf(HTTPS, {}, false), {});
  for (const variable of ["ALL_PROXY", "all_proxy"]) {
    assertEquals(choiceOf(HTTPS, { [variable]: "socks5h://user:secret@p:1080" }), {
      ignoredProxy: `${variable} is ignored (SOCKS proxies are not supported)`,
    });
  }
  // A value that cannot be used does not matter when it is ignored.
  assertEquals(choiceOf(HTTPS, { HTTPS_PROXY: "socks5://x" }, false).proxy, undefined);
});

Deno.test("PROXY_VARIABLES has each name in both cases", () => {
  const lower = new Set<string>(PROXY_VARIABLES.map((name) => name.toLowerCase()));
  assertEquals(PROXY_VARIABLES.length, 2 * lower.size);
});
