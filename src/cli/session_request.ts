/**
 * Reads the session and network flags.
 *
 * @module
 */
import { HelperError, messageOf, refusedValue } from "../errors.ts";
import { pathAdvice } from "../keystore/path_advice.ts";
import { readSource, SourceError } from "../files/source_file.ts";
import { parseSessionArns } from "../rolesanywhere/arn.ts";
import type { VendedSession } from "../credentials/refresh/session.ts";
import type { CreateSessionDeps } from "../rolesanywhere/create_session.ts";
import { resolveEndpoint } from "../rolesanywhere/endpoint.ts";
import { parseRoleChain, type RoleChain, SESSION_NAME } from "../sts/role_chain.ts";
import { createSender, type SendRequest } from "../http/http_client.ts";
import { chooseProxy, proxyLabel } from "../http/proxy.ts";
import { unarmor } from "../x509/armor.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { DerReader } from "../x509/der.ts";
import { formatPem } from "../x509/pem.ts";
import type { FlagValues } from "./flags/flag_values.ts";
import type { FlagName } from "./flags/flags.ts";
import { debugLogger } from "./keystore_context.ts";
import { PROGRAM } from "./program.ts";
import { VERSION } from "./commands/version.ts";
import type { System } from "./system.ts";

/** Flags that AWS's own variables and configuration file can set. */
const SDK_FLAGS = [
  "endpoint",
  "sts-endpoint",
  "use-fips-endpoint",
  "use-dualstack-endpoint",
  "ca-bundle",
] as const satisfies FlagName[];
const MAX_BUNDLE_BYTES = 16 << 20;

/** Reads the session request from the flags. Throws `usage`. */
export function readSessionRequest(values: FlagValues): VendedSession {
  const arns = parseSessionArns({
    role: values.required("role-arn"),
    profile: values.required("profile-arn"),
    trustAnchor: values.required("trust-anchor-arn"),
  }, {
    role: values.sourceOf("role-arn"),
    profile: values.sourceOf("profile-arn"),
    trustAnchor: values.sourceOf("trust-anchor-arn"),
  });
  const roleSessionName = values.text("role-session-name");
  if (roleSessionName !== undefined && !SESSION_NAME.test(roleSessionName)) {
    throw new HelperError(
      "usage",
      `${values.sourceOf("role-session-name")}${
        refusedValue(roleSessionName)
      } must be 2 to 64 letters, digits or _+=,.@-`,
    );
  }
  const region = values.text("region") ?? arns.trustAnchor.region;
  const endpoint = values.text("endpoint");
  const chain = readRoleChain(values, region, arns.trustAnchor.partition);
  return {
    endpoint: resolveEndpoint({
      region,
      ...(endpoint === undefined ? {} : { endpoint }),
      useFips: values.isOn("use-fips-endpoint"),
      useDualStack: values.isOn("use-dualstack-endpoint"),
      regionSource: values.sourceOf("region"),
      endpointSource: values.sourceOf("endpoint"),
    }),
    region,
    arns,
    durationSeconds: values.integer("session-duration"),
    ...(roleSessionName === undefined ? {} : { roleSessionName }),
    ...(chain === undefined ? {} : { chain }),
  };
}

/** The flags that have no effect without `--assume-role-arn`. */
const CHAIN_DETAILS = [
  "assume-role-session-name",
  "assume-role-external-id",
  "assume-role-duration",
] as const satisfies FlagName[];

/**
 * Reads the roles to assume. `roles` replaces those of `--assume-role-arn`. `partition` is that of the
 * trust anchor. Returns undefined if no role is to be assumed. Throws `usage`.
 */
export function readRoleChain(
  values: FlagValues,
  region: string,
  partition: string,
  roles?: readonly string[],
): RoleChain | undefined {
  const texts = roles ?? readAssumedRoles(values);
  const detail = CHAIN_DETAILS.find((name) => values.isOnCommandLine(name));
  // Another role of --roles may have a chain.
  const hasOtherRoles = roles !== undefined || values.text("roles") !== undefined;
  if (!hasOtherRoles && texts.length === 0 && detail) {
    throw new HelperError("usage", `--${detail} needs --assume-role-arn`);
  }
  if (texts.length === 0) return undefined;
  return parseRoleChain(
    {
      roles: texts,
      sessionName: values.text("assume-role-session-name") ?? values.text("role-session-name"),
      externalId: values.text("assume-role-external-id"),
      durationSeconds: values.integer("assume-role-duration"),
    },
    partition,
    { endpoint: readStsEndpoint(values, region), region },
    {
      roles: values.sourceOf("assume-role-arn"),
      sessionName: values.sourceOf("assume-role-session-name"),
      externalId: values.sourceOf("assume-role-external-id"),
      durationSeconds: values.sourceOf("assume-role-duration"),
    },
  );
}

/** Returns the ARNs of `--assume-role-arn`. A variable may hold several, separated by blanks. */
export function readAssumedRoles(values: FlagValues): readonly string[] {
  return (values.list("assume-role-arn") ?? []).flatMap((text) => text.split(/\s+/))
    .filter((text) => text !== "");
}

function readStsEndpoint(values: FlagValues, region: string): URL {
  const endpoint = values.text("sts-endpoint");
  // As in botocore: a configured endpoint wins over FIPS and dual-stack of the same service only.
  return resolveEndpoint({
    service: "sts",
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    useFips: endpoint === undefined && values.wasOn("use-fips-endpoint"),
    useDualStack: endpoint === undefined && values.wasOn("use-dualstack-endpoint"),
    regionSource: values.sourceOf("region"),
    endpointSource: values.sourceOf("sts-endpoint"),
  });
}

/**
 * Creates the dependencies of CreateSession and AssumeRole from the network flags. `endpoint` is that of
 * IAM Roles Anywhere. Throws `usage` and `ca-bundle`.
 */
export async function createSessionDeps(
  values: FlagValues,
  endpoint: URL,
  system: System,
): Promise<CreateSessionDeps> {
  const debug = debugLogger(values, system);
  for (const name of SDK_FLAGS) {
    if (name === "sts-endpoint" && readAssumedRoles(values).length === 0) continue;
    const source = values.sourceOf(name);
    if (values.text(name) !== undefined && source !== `--${name}`) debug(`using ${source}`);
  }
  if (system.environment("SSLKEYLOGFILE")) {
    // It has no effect here, but a user who set it expects a file with the TLS session's keys.
    throw new HelperError(
      "usage",
      "SSLKEYLOGFILE is set, which asks for the TLS session's keys in a file; unset it",
    );
  }
  const verifyServer = !values.isOn("no-verify-ssl");
  if (!verifyServer) {
    system.log(
      `warning: ${
        values.sourceOf("no-verify-ssl")
      }: the TLS certificate of the service is not checked`,
    );
  }
  const bundle = values.text("ca-bundle");
  const extraAuthorities = bundle !== undefined && verifyServer
    ? await readBundle(bundle, values.sourceOf("ca-bundle"))
    : [];
  // One for each service: NO_PROXY may name one of them.
  const senders = new Map<string, SendRequest>();
  const senderFor = (url: URL): SendRequest => {
    const known = senders.get(url.origin);
    if (known) return known;
    const { proxy, ignoredProxy } = chooseProxy(
      url,
      (name) => system.environment(name),
      values.isOn("with-proxy"),
    );
    if (proxy) debug(`connecting through ${proxyLabel(proxy)}`);
    if (ignoredProxy !== undefined) debug(`proxy: ${ignoredProxy}`);
    const sender = createSender({
      verifyServer,
      extraAuthorities,
      ...(proxy ? { proxy } : {}),
      ...(ignoredProxy === undefined ? {} : { ignoredProxy }),
      endpointSetting: url.origin === endpoint.origin ? "--endpoint" : "--sts-endpoint",
      userAgent: `${PROGRAM}/${VERSION} (${system.platform}; ${system.architecture})`,
    });
    senders.set(url.origin, sender);
    return sender;
  };
  senderFor(endpoint); // reports an unusable proxy before a key is opened
  return {
    send: (request, timeout) => senderFor(request.url)(request, timeout),
    now: () => system.now(),
    monotonic: () => system.monotonic(),
    sleep: (milliseconds) => system.sleep(milliseconds),
    random: () => system.random(),
    debug,
  };
}

/** Reads the certificates of a `--ca-bundle` file. Returns them as PEM. Throws `ca-bundle`. */
export async function readBundle(path: string, source = "--ca-bundle"): Promise<string[]> {
  const refuse = (reason: string, cause?: unknown) =>
    new HelperError("ca-bundle", `${source}: ${path} ${reason}`, { cause });
  let bytes: Uint8Array;
  try {
    bytes = await readSource(path, { maxBytes: MAX_BUNDLE_BYTES });
  } catch (cause) {
    if (cause instanceof SourceError && cause.fault !== "missing" && cause.fault !== "failed") {
      throw refuse(cause.message, cause);
    }
    const advice = pathAdvice(path) ?? "check that it exists and is a file you may read";
    throw refuse(`cannot be read; ${advice}`, cause);
  }
  let certificates: readonly Uint8Array[];
  try {
    certificates = bytes.length <= MAX_BUNDLE_BYTES ? readBundledCertificates(bytes) : [];
    certificates.forEach((certificate) => parseCertificate(certificate));
  } catch (cause) {
    throw refuse(`has a malformed certificate: ${messageOf(cause)}`, cause);
  }
  if (certificates.length === 0) throw refuse("has no certificates; name a PEM or DER file");
  return certificates.map((certificate) => formatPem("CERTIFICATE", certificate));
}

/** PEM labels of certificates. OpenSSL's trust settings follow the certificate in the same block. */
const CERTIFICATE_LABELS = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];

function readBundledCertificates(bytes: Uint8Array): readonly Uint8Array[] {
  const unarmored = unarmor(bytes);
  if (unarmored.form === "der") return unarmored.elements;
  if (unarmored.form !== "pem") return [];
  return unarmored.blocks.filter(({ label }) => CERTIFICATE_LABELS.includes(label))
    .map(({ bytes }) => new DerReader(bytes).next().encoded);
}
