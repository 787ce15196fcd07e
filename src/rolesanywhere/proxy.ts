/**
 * Which proxy, if any, a request goes through: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in
 * either case, as curl reads them. Pure.
 *
 * @module
 */
import { HelperError } from "../errors.ts";

/** The variables that name proxies; Deno's fetch would follow them unasked. */
export const PROXY_VARIABLES = [
  "HTTPS_PROXY",
  "https_proxy",
  "HTTP_PROXY",
  "http_proxy",
  "ALL_PROXY",
  "all_proxy",
] as const;

/** Reads an environment variable. */
export type Environment = (name: string) => string | undefined;

/**
 * The proxy for `target`; undefined for a direct connection.
 *
 * Throws `usage` when the variable does not hold a proxy URL; the message never holds its value,
 * which may carry a password.
 */
export function proxyFor(target: URL, environment: Environment): URL | undefined {
  if (bypasses(environment("NO_PROXY") || environment("no_proxy") || "", target)) return undefined;
  const scheme = target.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  for (const name of [scheme, scheme.toLowerCase(), "ALL_PROXY", "all_proxy"]) {
    const value = environment(name)?.trim();
    if (!value) continue;
    const text = value.includes("://") ? value : `http://${value}`;
    const proxy = URL.canParse(text) ? new URL(text) : undefined;
    if (proxy?.protocol !== "http:" || proxy.hostname === "") {
      throw new HelperError(
        "usage",
        `the environment variable ${name} does not hold an HTTP proxy's URL such as ` +
          "http://proxy:3128; other kinds of proxies cannot be used",
      );
    }
    return proxy;
  }
  return undefined;
}

/** Whether NO_PROXY takes `target` out: `*`, hosts, domain suffixes, each with or without a port. */
function bypasses(noProxy: string, target: URL): boolean {
  const host = target.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = target.port || (target.protocol === "https:" ? "443" : "80");
  return noProxy.split(/[\s,]+/).filter((entry) => entry !== "").some((entry) => {
    if (entry === "*") return true;
    const match = /^\[?(.+?)\]?(?::(\d+))?$/.exec(/^[^[]*:.*:/.test(entry) ? `[${entry}]` : entry);
    const name = (match?.[1] ?? "").toLowerCase().replace(/^\*?\./, "");
    if (match?.[2] !== undefined && match[2] !== port) return false;
    return host === name || host.endsWith(`.${name}`);
  });
}
