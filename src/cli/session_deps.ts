/**
 * Reads the network flags.
 *
 * @module
 */
import { HelperError, messageOf } from "../errors.ts";
import { pathAdvice } from "../keystore/path_advice.ts";
import { readSource } from "../files/source_file.ts";
import { SourceError } from "../files/source_error.ts";
import type { SourceOptions } from "../files/open_source.ts";
import type { CreateSessionDeps } from "../rolesanywhere/create_session.ts";
import { createSender, type SendRequest } from "../http/http_client.ts";
import { chooseProxy, proxyLabel } from "../http/proxy.ts";
import { unarmor } from "../x509/armor.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { DerReader } from "../x509/der.ts";
import { formatPem, type PemBlock } from "../x509/pem.ts";
import { VERSION } from "./commands/version.ts";
import type { FlagValues } from "./flags/flag_values.ts";
import type { FlagName } from "./flags/flags.ts";
import { debugLogger } from "./keystore_context.ts";
import { PROGRAM } from "./program.ts";
import { hostSource, readAssumedRoles } from "./session_request.ts";
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
      "SSLKEYLOGFILE: asks for the TLS session's keys in a file; unset it",
    );
  }
  // Also without verification: the runtime reads it for each TLS connection.
  await checkStoreFile(system);
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
    const flag = url.origin === endpoint.origin ? "endpoint" : "sts-endpoint";
    const sender = createSender({
      verifyServer,
      extraAuthorities,
      ...(proxy ? { proxy } : {}),
      ...(ignoredProxy === undefined ? {} : { ignoredProxy }),
      endpointSetting: values.sourceOf(flag),
      hostSetting: hostSource(values, flag),
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
export async function readBundle(path: string, source: string): Promise<string[]> {
  const certificates = parseBundle(await readAuthorities(path, source), path, source);
  if (certificates.length === 0) {
    throw bundleError(path, source, "has no certificates; name a PEM or DER file");
  }
  return certificates.map((certificate) => formatPem("CERTIFICATE", certificate));
}

/** Returns the DER of the certificates. Throws `ca-bundle` for one that is malformed. */
function parseBundle(bytes: Uint8Array, path: string, source: string): readonly Uint8Array[] {
  try {
    const certificates = readBundledCertificates(bytes);
    certificates.forEach((certificate) => parseCertificate(certificate));
    return certificates;
  } catch (cause) {
    throw bundleError(path, source, `has a malformed certificate: ${messageOf(cause)}`, cause);
  }
}

/** Variable with a file that replaces the system's certificate store. The runtime reads it. */
const STORE_FILE = "SSL_CERT_FILE";

/** Label of the blocks that the runtime reads. */
const STORE_LABEL = "CERTIFICATE";

/** Beginning of a certificate for the runtime, which skips every other line. */
const STORE_LINE = /^-----BEGIN CERTIFICATE-----[ \t\r]*$/m;

/**
 * Checks the file of `SSL_CERT_FILE`. The runtime would read a device or a FIFO without an end. It prints the
 * contents of a malformed block, which may be a key. Without a certificate, it ends connections without a
 * reason. Throws `ca-bundle`.
 */
export async function checkStoreFile(system: Pick<System, "environment">): Promise<void> {
  const path = system.environment(STORE_FILE);
  if (path === undefined) return;
  const bytes = await readAuthorities(path, STORE_FILE, { pipes: false });
  if (!STORE_LINE.test(new TextDecoder("latin1").decode(bytes))) {
    throw bundleError(path, STORE_FILE, "has no certificates; name a PEM file in ASCII");
  }
  parseBundle(bytes, path, STORE_FILE);
  const { form, ...contents } = unarmor(bytes);
  const blocks = form === "pem" && "blocks" in contents ? contents.blocks : [];
  if (!blocks.filter(({ label }) => label === STORE_LABEL).every(isReadByRuntime)) {
    throw bundleError(path, STORE_FILE, "has more in a block than a certificate; export it again");
  }
}

/** Returns true for a block with one certificate only, and without headers. */
function isReadByRuntime({ bytes, headers }: PemBlock): boolean {
  const reader = new DerReader(bytes);
  reader.next();
  return reader.atEnd && headers.size === 0;
}

async function readAuthorities(
  path: string,
  source: string,
  options: Pick<SourceOptions, "pipes"> = {},
): Promise<Uint8Array> {
  try {
    return await readSource(path, { maxBytes: MAX_BUNDLE_BYTES, ...options });
  } catch (cause) {
    if (cause instanceof SourceError && cause.fault !== "missing" && cause.fault !== "failed") {
      throw bundleError(path, source, cause.message, cause);
    }
    const advice = pathAdvice(path) ?? "check that it exists and is a file you may read";
    throw bundleError(path, source, `cannot be read; ${advice}`, cause);
  }
}

function bundleError(path: string, source: string, reason: string, cause?: unknown): HelperError {
  return new HelperError("ca-bundle", `${source}: ${path} ${reason}`, { cause });
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
