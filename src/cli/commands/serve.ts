/**
 * `serve`: temporary credentials on an endpoint that AWS SDKs discover, kept fresh until a signal.
 *
 * @module
 */
import { resolve } from "node:path";

import { Refresher } from "../../credentials/refresh/refresher.ts";
import { SessionVendor } from "../../credentials/refresh/session_vendor.ts";
import { HelperError } from "../../errors.ts";
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
import { systemdNotifier } from "../../runtime/sd_notify.ts";
import { TokenStore } from "../../imds/tokens.ts";
import type { SessionRequest } from "../../rolesanywhere/create_session.ts";
import { commandLine } from "../shell_quote.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { debugWords, identitySource, keystoreContext } from "../keystore_context.ts";
import { PROGRAM } from "../program.ts";
import { disableCoreDumps } from "../core_dumps.ts";
import { refreshDeps } from "../refresh_deps.ts";
import { serveLog } from "../serve_log.ts";
import { createSessionEffects, sessionRequest } from "../session_request.ts";
import type { System } from "../system.ts";

/**
 * Fetches the first credentials, listens, and serves until SIGINT or SIGTERM; what is in flight is
 * finished then. A second signal ends at once.
 *
 * Throws what the first CreateSession throws, and `listen`; nothing listens then.
 */
export async function serve(values: FlagValues, system: System): Promise<void> {
  await system.stay();
  await disableCoreDumps(system);
  const bind = bindAddress(values);
  const isAllowedHost = bind.kind === "ip" ? hostCheck(hostNames(values, system)) : () => true;
  const request = sessionRequest(values);
  const source = identitySource(values, system.platform);
  const deps = createSessionEffects(values, request.endpoint, system);
  const context = keystoreContext(values, system);
  const say = (words: string) => system.say(`${PROGRAM}: ${words}`);
  const log = serveLog(say, debugWords(values, system));
  checkOpenFiles();
  await checkAvailable(bind);

  await using vendor = new SessionVendor(source, request, system.registry, context, deps, say);
  const engine = refreshDeps(system);
  const refresher = await Refresher.start(() => vendor.vend(), engine, (e) => log.refresh(e));
  try {
    using token = values.isOn("container-credentials")
      ? containerToken(values.text("container-token-file"), randomBytes)
      : undefined;
    const tokens = new TokenStore(() => system.monotonic(), randomBytes);
    const endpoint: Endpoint = {
      tokens,
      credentials: servedCredentials(refresher),
      health: () => health(refresher, system),
      roleName: roleName(request),
      roleArn: request.arns.role.text,
      region: request.region,
      isAllowedHost,
      ...(token ? { containerToken: token.text } : {}),
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
      monotonic: () => system.monotonic(),
      warn: (words) => say(`warning: ${words}`),
    });
    for (const line of announcement(bind, server.port, endpoint, token?.file)) {
      system.say(line);
    }
    const notifySocket = system.environment("NOTIFY_SOCKET");
    if (!notifySocket) say("leave this running; Ctrl-C ends it");
    const notify = systemdNotifier(notifySocket);
    notify("READY=1");
    await aborted(hold.signal);
    notify("STOPPING=1");
    await endUnlessAgainAsked(server, refresher, system);
  } finally {
    void refresher.stop();
  }
}

/** A call to the service under way at the end is waited for so long, milliseconds. */
const STOP_TIMEOUT = 2_000;

async function stopSoon(refresher: Refresher, system: System): Promise<void> {
  await Promise.race([refresher.stop(), system.sleep(STOP_TIMEOUT)]);
}

/** Ends server and engine together; throws `interrupted` at once when another signal comes. */
async function endUnlessAgainAsked(
  server: EndpointServer,
  refresher: Refresher,
  system: System,
): Promise<void> {
  using second = system.holdSignals();
  const again = aborted(second.signal).then(() => {
    throw second.signal.reason;
  });
  const ending = Promise.all([server[Symbol.asyncDispose](), stopSoon(refresher, system)]);
  await Promise.race([ending, again]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function bindAddress(values: FlagValues): BindAddress {
  const tokenFile = values.text("container-token-file");
  if (tokenFile !== undefined) {
    if (!values.isOn("container-credentials")) {
      throw new HelperError("usage", "--container-token-file needs --container-credentials");
    }
    commandLine([tokenFile], "linux"); // refuses what could not be printed for a shell
  }
  return parseBindAddress(values.required("bind"), values.integer("port"), {
    hopLimit: values.integer("hop-limit"),
    allowRemote: values.isOn("allow-remote"),
  });
}

/** Returns the host names that a request may send, besides `localhost`. */
function hostNames(values: FlagValues, system: System): string[] {
  const given = parseHostNames(values.list("allow-host") ?? [], values.sourceOf("allow-host"));
  return [...given, system.hostName()];
}

/** The last part of the role's resource: `role/path/NAME`. */
function roleName(request: SessionRequest): string {
  return request.arns.role.resource.split("/").at(-1) ?? "";
}

function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** The engine's credentials with the time of their fetching, the same object while they are. */
function servedCredentials(refresher: Refresher): Endpoint["credentials"] {
  let last: { from: unknown; served: ServedCredentials } | undefined;
  return (now) => {
    const credentials = refresher.credentialsAt(now);
    const fetched = refresher.state.lastRefresh;
    if (!credentials || !fetched) return undefined;
    if (last?.from !== credentials) {
      last = { from: credentials, served: { ...credentials, fetched } };
    }
    return last.served;
  };
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
 * Returns both variables: older clients read only the first, some of Rust only the second. The path is
 * absolute, because clients run in other directories.
 */
function tokenFileExports(file: string): string[] {
  const quoted = commandLine([resolve(file)], "linux");
  return [
    `export AWS_CONTAINER_AUTHORIZATION_TOKEN="$(cat ${quoted})"`,
    `export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=${quoted}`,
  ];
}

/** What a user copies into a shell; the AWS helper prints the first line and scripts wait for it. */
function announcement(
  bind: BindAddress,
  port: number,
  endpoint: Endpoint,
  tokenFile: string | undefined,
): string[] {
  if (bind.kind === "unix") return [`Starting server on ${bind.path}...`];
  const url = endpointUrl({ address: bind.address, port });
  return [
    `Starting server on port ${port}...`,
    // With the slash: AWS CLI 2.9 (Debian 12) appends a path without one.
    `export AWS_EC2_METADATA_SERVICE_ENDPOINT=${url}/`,
    ...(endpoint.containerToken === undefined ? [] : [
      `export AWS_CONTAINER_CREDENTIALS_FULL_URI=${url}/role/${endpoint.roleName}`,
      ...(tokenFile === undefined
        ? [`export AWS_CONTAINER_AUTHORIZATION_TOKEN=${endpoint.containerToken}`]
        : tokenFileExports(tokenFile)),
    ]),
  ];
}
