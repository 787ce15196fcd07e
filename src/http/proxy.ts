/**
 * Proxy selection for a request, from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY in either case, as
 * curl reads them. Pure.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import { isInNetwork } from "./address.ts";
import { bareHost } from "./url_parts.ts";

/** Variables that name proxies. Deno's fetch would use them too. */
export const PROXY_VARIABLES = [
  "HTTPS_PROXY",
  "https_proxy",
  "HTTP_PROXY",
  "http_proxy",
  "ALL_PROXY",
  "all_proxy",
] as const;

/** Reader of environment variables. */
export type Environment = (name: string) => string | undefined;

/** An HTTP proxy. */
export interface Proxy {
  readonly url: URL;
  /** The variable that it was read from. */
  readonly variable: string;
}

/** The proxy to use, or the reason why a variable's proxy is not used. */
export interface ProxyChoice {
  /** Undefined for a direct connection. */
  readonly proxy?: Proxy;
  /** Part of a message that names the ignored variable. */
  readonly ignoredProxy?: string;
}

/** Returns the proxy's name for messages, without its password. */
export function proxyLabel({ url, variable }: Proxy): string {
  return `the proxy ${url.host} (${variable})`;
}

/**
 * Chooses the proxy for `target`. With `enabled` false, the variables are ignored.
 *
 * Throws `usage` when the variable does not hold a usable proxy URL. The message never holds the
 * value, which may contain a password.
 */
export function chooseProxy(
  target: URL,
  environment: Environment,
  enabled = true,
): ProxyChoice {
  const scheme = target.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  for (const variable of [scheme, scheme.toLowerCase(), "ALL_PROXY", "all_proxy"]) {
    const value = environment(variable)?.trim();
    if (!value) continue;
    if (!enabled) return { ignoredProxy: `${variable} is ignored (--with-proxy=false)` };
    const exceptions = ["NO_PROXY", "no_proxy"].find((name) => environment(name));
    if (exceptions && matchesNoProxy(environment(exceptions) ?? "", target)) {
      return { ignoredProxy: `${variable} is not used (${exceptions} lists this host)` };
    }
    // AWS's helper does not read ALL_PROXY. A SOCKS proxy for other programs must not cause an error.
    if (/^all_proxy$/i.test(variable) && /^socks/i.test(value)) {
      return { ignoredProxy: `${variable} is ignored (SOCKS proxies are not supported)` };
    }
    return { proxy: { url: parseProxy(variable, value), variable } };
  }
  return {};
}

function parseProxy(variable: string, value: string): URL {
  const text = value.includes("://") ? value : `http://${value}`;
  const userInfo = /:\/\/(.*)@/s.exec(text)?.[1];
  if (userInfo?.includes("\\")) {
    throw new HelperError(
      "usage",
      `the environment variable ${variable} has a backslash in the proxy's user; ` +
        "write it as %5C, as in http://DOMAIN%5Cuser:password@proxy:3128",
    );
  }
  if (userInfo !== undefined && /[/?#@]/.test(userInfo)) {
    throw new HelperError(
      "usage",
      `the environment variable ${variable} has / ? # or @ in the proxy's user or password; ` +
        "write them as %2F, %3F, %23 and %40",
    );
  }
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy?.protocol !== "http:" || proxy.hostname === "") {
    throw new HelperError(
      "usage",
      `the environment variable ${variable} does not hold an HTTP proxy's URL such as ` +
        "http://proxy:3128; correct it, or connect directly with --with-proxy=false",
    );
  }
  return proxy;
}

/**
 * Returns true if NO_PROXY lists `target`. It can contain `*`, and hosts, domain suffixes and
 * addresses, each with or without a port. It can also contain networks such as `10.0.0.0/8`.
 */
function matchesNoProxy(noProxy: string, target: URL): boolean {
  const host = bareHost(target.hostname).replace(/\.$/, "").toLowerCase();
  const port = target.port || (target.protocol === "https:" ? "443" : "80");
  return noProxy.split(/[\s,]+/).filter((entry) => entry !== "").some((entry) => {
    if (entry === "*") return true;
    if (entry.includes("/")) return isInNetwork(host, entry);
    const match = /^\[?(.+?)\]?(?::(\d+))?$/.exec(/^[^[]*:.*:/.test(entry) ? `[${entry}]` : entry);
    if (match?.[2] !== undefined && match[2] !== port) return false;
    const name = (match?.[1] ?? "").toLowerCase().replace(/^\*?\./, "").replace(/\.$/, "");
    if (name === "") return false;
    return host === name || host.endsWith(`.${name}`) || isInNetwork(host, name);
  });
}
