/**
 * Whether the service can be reached (name, connection, proxy, TLS), and what time it has. Nothing
 * is asked of it: one GET without a signature, which it refuses with a Date.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { HelperError } from "../../errors.ts";
import { clockDifference } from "../../rolesanywhere/clock_difference.ts";
import { chooseProxy, proxyLabel } from "../../http/proxy.ts";
import { createSessionEffects } from "../session_request.ts";
import { endpointOf } from "./check_arns.ts";
import { day } from "./check_certificate.ts";
import { type Finding, type FindingName, found } from "./finding.ts";
import type { Inspection } from "./check_context.ts";

/** The service refuses signatures that are older or newer than this, milliseconds. */
const MAX_SKEW = 300_000;
/** Clocks that are set by the network differ less. */
const SUSPECT_SKEW = 30_000;
const TIMEOUT = 10_000;

/** What each error of the way is called; others are told by their code. */
const NAMES: Readonly<Record<string, FindingName>> = {
  network: "network-failed",
  proxy: "network-failed",
  "network-timeout": "network-timeout",
  tls: "tls",
  "service-answer": "service-answer",
};

/** Tries the way to the service. */
export async function checkNetwork({ values, system }: Inspection): Promise<readonly Finding[]> {
  let endpoint: URL;
  try {
    endpoint = endpointOf(values);
  } catch {
    return [found("network-skipped", "the network was not tried, as the endpoint is not known")];
  }
  try {
    const enabled = values.isOn("with-proxy");
    const { proxy } = chooseProxy(endpoint, (name) => system.environment(name), enabled);
    const unknown = proxy ? undefined : await unknownName(endpoint.hostname);
    if (unknown) return [unknown];
    const { send } = createSessionEffects(values, endpoint, system);
    const before = system.now();
    const { headers } = await send(
      { url: endpoint, method: "GET", headers: new Map(), body: new Uint8Array(0) },
      TIMEOUT,
    );
    return [
      found("network", `${endpoint.host} answers${proxy ? ` through ${proxyLabel(proxy)}` : ""}`),
      clockFinding(headers.get("date"), before, system.now()),
    ];
  } catch (thrown) {
    if (!(thrown instanceof HelperError)) throw thrown;
    const name = NAMES[thrown.code];
    return name
      ? [found(name, thrown.message)]
      : [found("network-skipped", "the network was not tried, for what is said above")];
  }
}

async function unknownName(host: string): Promise<Finding | undefined> {
  try {
    await lookup(host.replace(/^\[|\]$/g, ""));
    return undefined;
  } catch {
    return found(
      "dns",
      `the name ${host} cannot be found; check DNS, --region and --endpoint, or set HTTPS_PROXY ` +
        "if only a proxy can find it",
    );
  }
}

/** Compares a `Date` header with this machine's clock around the request. */
export function clockFinding(header: string | undefined, before: Date, after: Date): Finding {
  const difference = clockDifference(header, before, after);
  if (difference === undefined) {
    return found("clock-unknown", "the service did not tell the time");
  }
  const skew = Math.abs(difference);
  const direction = difference < 0 ? "behind" : "ahead of";
  const words = `this machine's clock (${day(after)}) is ${
    Math.round(skew / 1000)
  } s ${direction} the service's; set it, and let NTP keep it`;
  if (skew > MAX_SKEW) return found("clock-wrong", words);
  if (skew > SUSPECT_SKEW) return found("clock-off", words);
  return found("clock", "this machine's clock agrees with the service's");
}
