/**
 * `serve`: serves temporary credentials on an endpoint that AWS SDKs discover, and refreshes them.
 *
 * @module
 */

import { SessionVendor } from "../../credentials/refresh/session_vendor.ts";
import { HelperError } from "../../errors.ts";
import { checkReportsUsers } from "../../imds/allowed_users.ts";
import { isLoopback } from "../../imds/listener/bind_address.ts";
import { isOnLoopbackInterface } from "../../imds/listener/local_addresses.ts";
import type { MetricsSources, ServeMetrics } from "../../imds/metrics.ts";
import { pathOf } from "../../imds/request_target.ts";
import { checkAvailable, checkOpenFiles, EndpointServer } from "../../imds/server.ts";
import { TokenStore } from "../../imds/tokens.ts";
import { systemdNotifier } from "../../runtime/sd_notify.ts";
import { disableCoreDumps } from "../core_dumps.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { createKeystoreContext, debugLogger, readIdentitySource } from "../keystore_context.ts";
import { PROGRAM } from "../program.ts";
import { createRefreshDeps, STOP_TIMEOUT } from "../refresh_deps.ts";
import { PendingCall } from "../roles/pending_call.ts";
import { RoleSet } from "../roles/role_set.ts";
import { Senders } from "../roles/senders.ts";
import {
  endpointOf,
  formatAnnouncement,
  formatChanges,
  formatMetricsPlace,
  formatRoles,
} from "../serve/messages.ts";
import { createRolesApp, health, type RolesApp, type Served } from "../serve/roles_app.ts";
import { createServeLog } from "../serve/serve_log.ts";
import {
  hasRolesFile,
  readRolesAgain,
  readServeSettings,
  type ServeSettings,
} from "../serve/serve_settings.ts";
import type { System } from "../system.ts";
import { VERSION } from "./version.ts";

/**
 * Fetches the first credentials, listens, and serves until SIGINT or SIGTERM. It then finishes running
 * requests, but a second signal ends it at once. With `--roles`, SIGHUP reads the file again.
 *
 * Throws errors of the first CreateSession, and `listen`; then nothing listens.
 */
export async function serve(values: FlagValues, system: System): Promise<void> {
  const started = system.now();
  const reload = new PendingCall();
  using _hangup = hasRolesFile(values) ? system.onHangup(() => reload.request()) : undefined;
  await system.stay();
  await disableCoreDumps(system);
  const settings = await readServeSettings(values, system);
  const { bind, roles: [first] } = settings;
  const source = await readIdentitySource(values, system.platform);
  const senders = new Senders(values, system);
  await senders.prepare(settings.roles);
  const context = createKeystoreContext(values, system);
  const info = (message: string) => system.log(`${PROGRAM}: ${message}`);
  const debug = debugLogger(values, system);
  const warn = (message: string) => info(`warning: ${message}`);
  const log = createServeLog(info, debug);
  await checkCanServe(settings, values);

  const deps = await senders.of(first);
  await using vendor = new SessionVendor(
    source,
    first.request,
    system.registry,
    context,
    deps,
    info,
  );
  const tokens = new TokenStore(() => system.monotonic(), randomBytes);
  const metrics = values.isOn("metrics")
    ? await createMetrics({
      started,
      tokens,
      certificate: () => vendor.certificate,
      roles: () => roles.roles.map(({ name }) => name),
    })
    : undefined;
  using roles = await RoleSet.start(settings.roles, {
    fetch: async (role) => await vendor.vend(role.request, await senders.of(role)),
    refresh: createRefreshDeps(system),
    onRefresh: (role, event) => {
      const { label, name } = role;
      log.refresh(event, label && name);
      metrics?.onRefresh(name, event, role);
    },
    randomBytes,
    warn,
  });
  try {
    // Tokens are written with the signals held: their files are removed at the end, whenever that is.
    using hold = system.holdSignals();
    roles.createTokens();
    const served: Served = {
      tokens,
      health: () => health(roles, system.now()),
      isAllowedHost: settings.isAllowedHost,
      identifiesUsers: settings.identifiesUsers,
      ...(settings.allowedUsers ? { allowedUsers: settings.allowedUsers } : {}),
      ...(metrics ? { metrics } : {}),
      ...(values.isOn("debug") ? { log: (entry) => log.access(entry) } : {}),
      monotonic: () => system.monotonic(),
    };
    let app = await createRolesApp(served, roles.table);
    const input = { settings, metrics, app: () => app, warn };
    await using server = await startServer(input, values, system);
    const logRoles = () => {
      for (const line of formatRoles(roles, endpointOf(bind, server.port))) info(line);
    };
    for (const line of formatAnnouncement(bind, server.port, roles.roles)) system.announce(line);
    if (metrics) debug(`metrics: ${formatMetricsPlace(bind, server.port)}`);
    if (settings.allowedUsers) {
      info(`only these users get credentials: ${values.list("allow-user")?.join(", ")}`);
    }
    logRoles();
    const notifySocket = system.environment("NOTIFY_SOCKET");
    if (!notifySocket) info("leave this running; Ctrl-C ends it");
    const notify = systemdNotifier(notifySocket);
    notify("READY=1");
    reload.start(async () => {
      try {
        const changed = await readRolesAgain(values, settings);
        await senders.prepare(changed);
        const changes = roles.change(changed);
        app = await createRolesApp(served, roles.table);
        logRoles();
        void changes.tried.then(() => info(formatChanges(changes)));
      } catch (thrown) {
        const why = thrown instanceof HelperError ? thrown.message : "an unexpected failure";
        warn(`${why}; the roles read before are still served`);
      }
    });
    await waitForAbort(hold.signal);
    notify("STOPPING=1");
    await stopUnlessInterrupted(server, roles, system);
  } finally {
    void roles.stop();
  }
}

/** Throws `listen` if the endpoint cannot be opened, and `usage` if its clients' users are unknown. */
async function checkCanServe(
  { bind, allowedUsers, identifiesUsers }: ServeSettings,
  values: FlagValues,
): Promise<void> {
  checkOpenFiles();
  await checkAvailable(bind);
  if (!identifiesUsers) return;
  await checkReportsUsers(bind, allowedUsers ? undefined : values.sourceOf("roles"));
}

/** Input of {@link startServer}. */
interface ServerInput {
  readonly settings: ServeSettings;
  readonly metrics: ServeMetrics | undefined;
  /** Returns the application for the current roles. */
  readonly app: () => RolesApp;
  readonly warn: (message: string) => void;
}

/** Starts to listen. Throws `listen`. */
async function startServer(
  { settings: { bind, identifiesUsers }, metrics, app, warn }: ServerInput,
  values: FlagValues,
  system: System,
): Promise<EndpointServer> {
  return await EndpointServer.start({
    bind,
    hopLimit: values.integer("hop-limit"),
    handler: (request, connection) => app().handle(request, connection),
    localOnly: bind.kind === "ip" && !values.isOn("allow-remote") &&
      !isLoopback(bind.address) && isOnLoopbackInterface(bind.address),
    ...(metrics ? { onRefused: (url, status) => metrics.countRequest(pathOf(url), status) } : {}),
    ...(identifiesUsers ? { isKnownUser: (user) => app().isKnownUser(user) } : {}),
    monotonic: () => system.monotonic(),
    warn,
  });
}

/** Loads and creates the metrics. */
async function createMetrics(sources: Omit<MetricsSources, "version">): Promise<ServeMetrics> {
  const { ServeMetrics } = await import("../../imds/metrics.ts");
  return new ServeMetrics({ ...sources, version: VERSION });
}

async function stopWithTimeout(roles: RoleSet, system: System): Promise<void> {
  await Promise.race([roles.stop(), system.sleep(STOP_TIMEOUT)]);
}

/** Stops server and refreshes. Throws `interrupted` at once if another signal comes. */
async function stopUnlessInterrupted(
  server: EndpointServer,
  roles: RoleSet,
  system: System,
): Promise<void> {
  using second = system.holdSignals();
  const again = waitForAbort(second.signal).then(() => {
    throw second.signal.reason;
  });
  const ending = Promise.all([server[Symbol.asyncDispose](), stopWithTimeout(roles, system)]);
  await Promise.race([ending, again]);
}

function waitForAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}
