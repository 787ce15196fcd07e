/**
 * `serve`: serves temporary credentials on an endpoint that AWS SDKs discover, and refreshes them.
 *
 * @module
 */
import { resolve } from "node:path";

import { Refresher } from "../../credentials/refresh/refresher.ts";
import { vendedRole } from "../../credentials/refresh/session.ts";
import { SessionVendor } from "../../credentials/refresh/session_vendor.ts";
import { HelperError } from "../../errors.ts";
import { checkReportsUsers, parseAllowedUsers } from "../../imds/allowed_users.ts";
import { createApp, type Endpoint } from "../../imds/app.ts";
import {
  type BindAddress,
  endpointUrl,
  isLoopback,
  parseBindAddress,
} from "../../imds/listener/bind_address.ts";
import { containerToken } from "../../imds/container_token.ts";
import type { Health, ServedCredentials } from "../../imds/documents.ts";
import { hostCheck, parseHostNames } from "../../imds/host_check.ts";
import { isOnLoopbackInterface } from "../../imds/listener/local_addresses.ts";
import { checkAvailable, checkOpenFiles, EndpointServer } from "../../imds/server.ts";
import type { MetricsSources, ServeMetrics } from "../../imds/metrics.ts";
import { PATHS } from "../../imds/paths.ts";
import { pathOf } from "../../imds/request_target.ts";
import { systemdNotifier } from "../../runtime/sd_notify.ts";
import { TokenStore } from "../../imds/tokens.ts";
import type { Arn } from "../../rolesanywhere/arn.ts";
import { quoteCommandLine } from "../shell_quote.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { createKeystoreContext, debugLogger, readIdentitySource } from "../keystore_context.ts";
import { PROGRAM } from "../program.ts";
import { disableCoreDumps } from "../core_dumps.ts";
import { createRefreshDeps } from "../refresh_deps.ts";
import { createServeLog } from "../serve_log.ts";
import { VERSION } from "./version.ts";
import { createSessionDeps, readSessionRequest } from "../session_request.ts";
import type { System } from "../system.ts";

/**
 * Fetches the first credentials, listens, and serves until SIGINT or SIGTERM. It then finishes running
 * requests, but a second signal ends it at once.
 *
 * Throws errors of the first CreateSession, and `listen`; then nothing listens.
 */
export async function serve(values: FlagValues, system: System): Promise<void> {
  const started = system.now();
  await system.stay();
  await disableCoreDumps(system);
  const bind = readBindAddress(values);
  const isAllowedHost = bind.kind === "ip" ? hostCheck(readHostNames(values, system)) : () => true;
  const request = readSessionRequest(values);
  const source = await readIdentitySource(values, system.platform);
  const deps = await createSessionDeps(values, request.endpoint, system);
  const context = createKeystoreContext(values, system);
  const info = (message: string) => system.log(`${PROGRAM}: ${message}`);
  const debug = debugLogger(values, system);
  const log = createServeLog(info, debug);
  const allowedUsers = readAllowedUsers(values, bind);
  checkOpenFiles();
  await checkAvailable(bind);
  if (allowedUsers) await checkReportsUsers(bind);

  await using vendor = new SessionVendor(source, request, system.registry, context, deps, info);
  const engine = createRefreshDeps(system);
  const tokens = new TokenStore(() => system.monotonic(), randomBytes);
  const roleName = roleNameOf(vendedRole(request));
  const metrics = values.isOn("metrics")
    ? await createMetrics({
      started,
      tokens,
      certificate: () => vendor.certificate,
      roles: () => [roleName],
    })
    : undefined;
  const refresher = await Refresher.start(() => vendor.vend(), engine, (event) => {
    log.refresh(event);
    metrics?.onRefresh(roleName, event);
  });
  try {
    using token = values.isOn("container-credentials")
      ? containerToken(values.text("container-token-file"), randomBytes)
      : undefined;
    const endpoint: Endpoint = {
      tokens,
      credentials: (now) => servedCredentials(refresher, now),
      health: () => health(refresher, system),
      roleName,
      roleArn: vendedRole(request).text,
      region: request.region,
      isAllowedHost,
      ...(token ? { containerToken: token.text } : {}),
      ...(allowedUsers ? { allowedUsers } : {}),
      ...(metrics ? { metrics } : {}),
      ...(values.isOn("debug") ? { log: (entry) => log.access(entry) } : {}),
      monotonic: () => system.monotonic(),
    };
    using hold = system.holdSignals();
    await using server = await EndpointServer.start({
      bind,
      hopLimit: values.integer("hop-limit"),
      handler: await createApp(endpoint),
      localOnly: bind.kind === "ip" && !values.isOn("allow-remote") &&
        !isLoopback(bind.address) && isOnLoopbackInterface(bind.address),
      ...(metrics ? { onRefused: (url, status) => metrics.countRequest(pathOf(url), status) } : {}),
      ...(allowedUsers ? { allowedUsers } : {}),
      monotonic: () => system.monotonic(),
      warn: (message) => info(`warning: ${message}`),
    });
    for (const line of formatAnnouncement(bind, server.port, endpoint, token?.file)) {
      system.announce(line);
    }
    if (metrics) debug(`metrics: ${formatMetricsPlace(bind, server.port)}`);
    if (allowedUsers) {
      info(`only these users get credentials: ${values.list("allow-user")?.join(", ")}`);
    }
    const notifySocket = system.environment("NOTIFY_SOCKET");
    if (!notifySocket) info("leave this running; Ctrl-C ends it");
    const notify = systemdNotifier(notifySocket);
    notify("READY=1");
    await waitForAbort(hold.signal);
    notify("STOPPING=1");
    await stopUnlessInterrupted(server, refresher, system);
  } finally {
    void refresher.stop();
  }
}

/** Loads and creates the metrics. */
async function createMetrics(sources: Omit<MetricsSources, "version">): Promise<ServeMetrics> {
  const { ServeMetrics } = await import("../../imds/metrics.ts");
  return new ServeMetrics({ ...sources, version: VERSION });
}

/** Timeout for a running request to the service when the program ends, milliseconds. */
const STOP_TIMEOUT = 2_000;

async function stopWithTimeout(refresher: Refresher, system: System): Promise<void> {
  await Promise.race([refresher.stop(), system.sleep(STOP_TIMEOUT)]);
}

/** Stops server and refresher. Throws `interrupted` at once if another signal comes. */
async function stopUnlessInterrupted(
  server: EndpointServer,
  refresher: Refresher,
  system: System,
): Promise<void> {
  using second = system.holdSignals();
  const again = waitForAbort(second.signal).then(() => {
    throw second.signal.reason;
  });
  const ending = Promise.all([server[Symbol.asyncDispose](), stopWithTimeout(refresher, system)]);
  await Promise.race([ending, again]);
}

function waitForAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function readBindAddress(values: FlagValues): BindAddress {
  const tokenFile = values.text("container-token-file");
  if (tokenFile !== undefined) {
    if (!values.isOn("container-credentials")) {
      throw new HelperError("usage", "--container-token-file needs --container-credentials");
    }
    quoteCommandLine([tokenFile], "linux"); // throws if it cannot be printed for a shell
  }
  return parseBindAddress(values.required("bind"), values.integer("port"), {
    hopLimit: values.integer("hop-limit"),
    allowRemote: values.isOn("allow-remote"),
  });
}

/** Returns the numbers of the users of `--allow-user`; undefined without the flag. */
function readAllowedUsers(
  values: FlagValues,
  bind: BindAddress,
): ReadonlySet<number> | undefined {
  const texts = values.list("allow-user");
  if (texts && values.isOn("allow-remote")) {
    throw new HelperError(
      "usage",
      `${values.sourceOf("allow-user")} and ${values.sourceOf("allow-remote")} cannot be used ` +
        "together",
    );
  }
  return texts && parseAllowedUsers(texts, bind, {
    allowUser: values.sourceOf("allow-user"),
    bind: values.sourceOf("bind"),
  });
}

/** Returns the host names that a request may send, in addition to `localhost`. */
function readHostNames(values: FlagValues, system: System): string[] {
  const given = parseHostNames(values.list("allow-host") ?? [], values.sourceOf("allow-host"));
  return [...given, system.hostName()];
}

/** Returns the last part of the role's resource: `role/path/NAME`. */
function roleNameOf({ resource }: Arn): string {
  return resource.split("/").at(-1) ?? "";
}

function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** Returns the current credentials with their fetch time. */
function servedCredentials(refresher: Refresher, now: number): ServedCredentials | undefined {
  const credentials = refresher.credentialsAt(now);
  const fetched = refresher.state.lastRefresh;
  return credentials && fetched && { ...credentials, fetched };
}

function health({ credentials, state }: Refresher, system: System): Health {
  const { lastRefresh, lastError, failures } = state;
  const seconds = (from: Date, to: Date) => Math.round((to.getTime() - from.getTime()) / 1000);
  const now = system.now();
  return {
    status: !credentials ? "expired" : lastError ? "failing" : "ok",
    ageSeconds: lastRefresh ? seconds(lastRefresh, now) : 0,
    remainingSeconds: credentials ? seconds(now, credentials.expiration) : 0,
    lastError: lastError ? { code: lastError.code, failures } : null,
  };
}

/**
 * Returns both variables: older clients read only the first, some Rust clients only the second. The
 * path is absolute, because clients run in other directories.
 */
function formatTokenFileExports(file: string): string[] {
  const quoted = quoteCommandLine([resolve(file)], "linux");
  return [
    `export AWS_CONTAINER_AUTHORIZATION_TOKEN="$(cat ${quoted})"`,
    `export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=${quoted}`,
  ];
}

/** Returns the address of the metrics. */
function formatMetricsPlace(bind: BindAddress, port: number): string {
  return bind.kind === "unix"
    ? `${PATHS.metrics} on ${bind.path}`
    : `${endpointUrl({ address: bind.address, port })}${PATHS.metrics}`;
}

/** Returns lines to copy into a shell. Scripts wait for the first one, as printed by AWS's helper. */
function formatAnnouncement(
  bind: BindAddress,
  port: number,
  endpoint: Endpoint,
  tokenFile: string | undefined,
): string[] {
  if (bind.kind === "unix") return [`Starting server on ${bind.path}...`];
  const url = endpointUrl({ address: bind.address, port });
  return [
    `Starting server on port ${port}...`,
    // The slash is for AWS CLI 2.9 (Debian 12), which appends a path without one.
    `export AWS_EC2_METADATA_SERVICE_ENDPOINT=${url}/`,
    ...(endpoint.containerToken === undefined ? [] : [
      `export AWS_CONTAINER_CREDENTIALS_FULL_URI=${url}/role/${endpoint.roleName}`,
      ...(tokenFile === undefined
        ? [`export AWS_CONTAINER_AUTHORIZATION_TOKEN=${endpoint.containerToken}`]
        : formatTokenFileExports(tokenFile)),
    ]),
  ];
}
