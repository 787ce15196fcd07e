/**
 * Check of the way to the service (name, connection, proxy, TLS) and of the clock. It sends one
 * unsigned GET: the service refuses it, and its response has a Date.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import { HelperError } from "../../errors.ts";
import { clockDifference } from "../../rolesanywhere/clock_difference.ts";
import { chooseProxy, proxyLabel } from "../../http/proxy.ts";
import { bareHost } from "../../http/url_parts.ts";
import type { SendRequest } from "../../http/http_client.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { createSessionDeps } from "../session_deps.ts";
import { hostSource, readEndpoint } from "../session_request.ts";
import { readRegion } from "./check_arns.ts";
import { formatMinute } from "./check_certificate.ts";
import { readChain } from "./check_role_chain.ts";
import { type Finding, finding, type FindingName } from "./finding.ts";
import type { CheckContext } from "./check_context.ts";

/** Maximum age of a signature that the service accepts, milliseconds. */
const MAX_SKEW = 300_000;
/** Clocks synchronized by NTP differ less, milliseconds. */
const SUSPECT_SKEW = 30_000;
const TIMEOUT = 10_000;

/** Findings of network errors, by error code. */
const NAMES: Readonly<Record<string, FindingName>> = {
  network: "network-failed",
  proxy: "network-failed",
  "network-timeout": "network-timeout",
  tls: "tls",
  "service-answer": "service-answer",
};

/** Connects to the service, and to STS if a role is to be assumed, and compares the clocks. */
export async function checkNetwork({ values, system }: CheckContext): Promise<readonly Finding[]> {
  let endpoint: URL;
  try {
    endpoint = readEndpoint(values, readRegion(values));
  } catch {
    return [
      finding("network-skipped", "the network was not checked, because the endpoint is unknown"),
    ];
  }
  let send: SendRequest;
  try {
    ({ send } = await createSessionDeps(values, endpoint, system));
  } catch (thrown) {
    return [networkFinding(thrown)];
  }
  const findings = [...await checkService(endpoint, "endpoint", send, { values, system })];
  const sts = readStsEndpoint(values);
  if (sts && sts.origin !== endpoint.origin) {
    const others = await checkService(sts, "sts-endpoint", send, { values, system });
    findings.push(...others.filter(({ name }) => !name.startsWith("clock")));
  }
  return findings;
}

/** Returns the endpoint of STS if a role is to be assumed. checkRoleChain reports an unusable one. */
function readStsEndpoint(values: FlagValues): URL | undefined {
  try {
    return readChain(values)?.endpoint;
  } catch {
    return undefined;
  }
}

async function checkService(
  endpoint: URL,
  flag: "endpoint" | "sts-endpoint",
  send: SendRequest,
  { values, system }: Pick<CheckContext, "values" | "system">,
): Promise<readonly Finding[]> {
  try {
    const enabled = values.isOn("with-proxy");
    const { proxy } = chooseProxy(endpoint, (name) => system.environment(name), enabled);
    const nameFinding = proxy
      ? undefined
      : await checkName(endpoint.hostname, hostSource(values, flag));
    if (nameFinding) return [nameFinding];
    const before = system.now();
    const { headers } = await send(
      { url: endpoint, method: "GET", headers: new Map(), body: new Uint8Array(0) },
      TIMEOUT,
    );
    return [
      finding(
        "network",
        `${endpoint.host} responds${proxy ? ` through ${proxyLabel(proxy)}` : ""}`,
      ),
      checkClock(headers.get("date"), before, system.now()),
    ];
  } catch (thrown) {
    return [networkFinding(thrown)];
  }
}

function networkFinding(thrown: unknown): Finding {
  if (!(thrown instanceof HelperError)) throw thrown;
  const name = NAMES[thrown.code];
  return name
    ? finding(name, thrown.message)
    : finding("network-skipped", "the network was not checked, because of the problem above");
}

async function checkName(host: string, source: string): Promise<Finding | undefined> {
  try {
    await lookup(bareHost(host));
    return undefined;
  } catch {
    return finding(
      "dns",
      `${host}: the name cannot be resolved; check DNS and ${source}, or set HTTPS_PROXY`,
    );
  }
}

/** Compares a `Date` header with this machine's clock around the request. */
function checkClock(header: string | undefined, before: Date, after: Date): Finding {
  const difference = clockDifference(header, before, after);
  if (difference === undefined) {
    return finding("clock-unknown", "the service's response has no Date");
  }
  const skew = Math.abs(difference);
  const direction = difference < 0 ? "behind" : "ahead of";
  const message = `this machine's clock (${formatMinute(after)}) is ${
    Math.round(skew / 1000)
  } s ${direction} the service's; set it, for example with NTP`;
  if (skew > MAX_SKEW) return finding("clock-wrong", message);
  if (skew > SUSPECT_SKEW) return finding("clock-off", message);
  return finding("clock", "this machine's clock agrees with the service's");
}
