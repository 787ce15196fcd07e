/**
 * `serve`: serves temporary credentials on an endpoint that AWS SDKs discover, and refreshes them.
 *
 * @module
 */

import { resolve } from "../../path.ts";
import { vendedRole } from "../../credentials/refresh/session.ts";
import { SessionVendor } from "../../credentials/refresh/session_vendor.ts";
import { HelperError } from "../../errors.ts";
import { checkReportsUsers, parseAllowedUsers } from "../../imds/allowed_users.ts";
import { createApp, type Endpoint, type RequestHandler } from "../../imds/app.ts";
import {
  type BindAddress,
  endpointUrl,
  isLoopback,
  parseBindAddress,
} from "../../imds/listener/bind_address.ts";
import { hostCheck, parseHostNames } from "../../imds/host_check.ts";
import { isOnLoopbackInterface } from "../../imds/listener/local_addresses.ts";
import type { Health } from "../../imds/documents.ts";
import {
  healthOf,
  healthOfAll,
  lastPartOf,
  type RolesHealth,
  type RoleTable,
} from "../../imds/roles.ts";
import { checkAvailable, checkOpenFiles, EndpointServer } from "../../imds/server.ts";
import type { MetricsSources, ServeMetrics } from "../../imds/metrics.ts";
import { PATHS } from "../../imds/paths.ts";
import { pathOf } from "../../imds/request_target.ts";
import { systemdNotifier } from "../../runtime/sd_notify.ts";
import { TokenStore } from "../../imds/tokens.ts";
import { CONTROL, quoteCommandLine } from "../shell_quote.ts";
import type { FlagValues } from "../flags/flag_values.ts";
import { createKeystoreContext, debugLogger, readIdentitySource } from "../keystore_context.ts";
import { PROGRAM } from "../program.ts";
import { disableCoreDumps } from "../core_dumps.ts";
import { createRefreshDeps, STOP_TIMEOUT } from "../refresh_deps.ts";
import type { RoleSettings } from "../roles/role_settings.ts";
import { PendingCall } from "../roles/pending_call.ts";
import { type RoleChanges, RoleSet, type RunningRole } from "../roles/role_set.ts";
import { Senders } from "../roles/senders.ts";
import { createServeLog } from "../serve_log.ts";
import { VERSION } from "./version.ts";
import { readSessionRequest } from "../session_request.ts";
import type { System } from "../system.ts";
import type { NonEmpty } from "../../x509/chain.ts";

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
  const bind = readBindAddress(values);
  const isAllowedHost = bind.kind === "ip" ? hostCheck(readHostNames(values, system)) : () => true;
  const settings = await readSettings(values, bind);
  const [{ request }] = settings;
  const source = await readIdentitySource(values, system.platform);
  const senders = new Senders(values, system);
  await senders.prepare(settings);
  const context = createKeystoreContext(values, system);
  const info = (message: string) => system.log(`${PROGRAM}: ${message}`);
  const debug = debugLogger(values, system);
  const warn = (message: string) => info(`warning: ${message}`);
  const log = createServeLog(info, debug);
  const allowedUsers = readAllowedUsers(values, bind);
  const identifiesUsers = allowedUsers !== undefined || settings.some(hasUsers);
  checkOpenFiles();
  await checkAvailable(bind);
  if (identifiesUsers) {
    await checkReportsUsers(bind, allowedUsers ? undefined : values.sourceOf("roles"));
  }

  const deps = await senders.of(settings[0]);
  await using vendor = new SessionVendor(source, request, system.registry, context, deps, info);
  const tokens = new TokenStore(() => system.monotonic(), randomBytes);
  const metrics = values.isOn("metrics")
    ? await createMetrics({
      started,
      tokens,
      certificate: () => vendor.certificate,
      roles: () => roles.roles.map(({ name }) => name),
    })
    : undefined;
  using roles = await RoleSet.start(settings, {
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
      isAllowedHost,
      identifiesUsers,
      ...(allowedUsers ? { allowedUsers } : {}),
      ...(metrics ? { metrics } : {}),
      ...(values.isOn("debug") ? { log: (entry) => log.access(entry) } : {}),
      monotonic: () => system.monotonic(),
    };
    let app = await createRolesApp(served, roles.table);
    await using server = await EndpointServer.start({
      bind,
      hopLimit: values.integer("hop-limit"),
      handler: (request, connection) => app.handle(request, connection),
      localOnly: bind.kind === "ip" && !values.isOn("allow-remote") &&
        !isLoopback(bind.address) && isOnLoopbackInterface(bind.address),
      ...(metrics ? { onRefused: (url, status) => metrics.countRequest(pathOf(url), status) } : {}),
      ...(identifiesUsers ? { isKnownUser: (user) => app.isKnownUser(user) } : {}),
      monotonic: () => system.monotonic(),
      warn,
    });
    for (const line of formatAnnouncement(bind, server.port, roles.roles)) system.announce(line);
    if (metrics) debug(`metrics: ${formatMetricsPlace(bind, server.port)}`);
    if (allowedUsers) {
      info(`only these users get credentials: ${values.list("allow-user")?.join(", ")}`);
    }
    for (const line of formatRoles(roles, endpointOf(bind, server.port))) info(line);
    const notifySocket = system.environment("NOTIFY_SOCKET");
    if (!notifySocket) info("leave this running; Ctrl-C ends it");
    const notify = systemdNotifier(notifySocket);
    notify("READY=1");
    reload.start(async () => {
      try {
        const changed = await readSettings(values, bind);
        if (!identifiesUsers && changed.some(hasUsers)) throw lateUsersError(values);
        await senders.prepare(changed);
        const changes = roles.change(changed);
        app = await createRolesApp(served, roles.table);
        for (const line of formatRoles(roles, endpointOf(bind, server.port))) info(line);
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

/** Loads and creates the metrics. */
async function createMetrics(sources: Omit<MetricsSources, "version">): Promise<ServeMetrics> {
  const { ServeMetrics } = await import("../../imds/metrics.ts");
  return new ServeMetrics({ ...sources, version: VERSION });
}

function hasRolesFile(values: FlagValues): boolean {
  return values.text("roles") !== undefined;
}

/** Returns the settings of the only role by the flags, or of the roles of `--roles`. */
async function readSettings(
  values: FlagValues,
  bind: BindAddress,
): Promise<NonEmpty<RoleSettings>> {
  if (hasRolesFile(values)) {
    const { readRoles } = await import("../roles/role_settings.ts");
    return await readRoles(values, bind);
  }
  const request = readSessionRequest(values);
  const file = values.text("container-token-file");
  const source = "--container-token-file";
  return [{
    name: lastPartOf(vendedRole(request).text),
    values,
    request,
    ...(values.isOn("container-credentials")
      ? { token: { source, ...(file === undefined ? {} : { file }) } }
      : {}),
  }];
}

/** Returns true if the role is only for some users. */
function hasUsers({ users = [] }: RoleSettings): boolean {
  return users.length > 0;
}

function lateUsersError(values: FlagValues): HelperError {
  return new HelperError(
    "usage",
    `${values.sourceOf("roles")} ${
      values.text("roles")
    }: serve started without users in the file; ` +
      "restart it",
  );
}

/** The endpoint without its roles. */
type Served = Omit<Endpoint, "table">;

/** Application for the roles of one time. */
interface RolesApp {
  readonly handle: RequestHandler;
  /** Returns whether a user gets credentials at the IMDSv2 paths. */
  isKnownUser(user: number | undefined): boolean;
}

async function createRolesApp(served: Served, table: RoleTable): Promise<RolesApp> {
  const { allowedUsers } = served;
  return {
    handle: await createApp({ ...served, table }),
    isKnownUser: (user) =>
      user !== undefined && (allowedUsers?.has(user) ?? true) &&
      (table.byUser.has(user) || table.others !== undefined),
  };
}

function health({ roles }: RoleSet, now: Date): Health | RolesHealth {
  const [first] = roles;
  return first && first.settings.label === undefined
    ? healthOf(first.state(), now)
    : healthOfAll(roles.map((role) => role.state()), now);
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

function readBindAddress(values: FlagValues): BindAddress {
  const tokenFile = values.text("container-token-file");
  if (tokenFile !== undefined) {
    if (!values.isOn("container-credentials")) {
      throw new HelperError("usage", "--container-token-file needs --container-credentials");
    }
    if (CONTROL.test(tokenFile)) {
      throw new HelperError(
        "usage",
        "--container-token-file contains a line end or another control character; " +
          "choose another path",
      );
    }
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
    users: values.sourceOf("allow-user"),
    bind: values.sourceOf("bind"),
  });
}

/** Returns the host names that a request may send, in addition to `localhost`. */
function readHostNames(values: FlagValues, system: System): string[] {
  const given = parseHostNames(values.list("allow-host") ?? [], values.sourceOf("allow-host"));
  return [...given, system.hostName()];
}

function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
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
  [role]: readonly RunningRole[],
): string[] {
  if (bind.kind === "unix") return [`Starting server on ${bind.path}...`];
  const url = endpointOf(bind, port);
  const isOnly = role?.settings.label === undefined;
  return [
    `Starting server on port ${port}...`,
    // The slash is for AWS CLI 2.9 (Debian 12), which appends a path without one.
    `export AWS_EC2_METADATA_SERVICE_ENDPOINT=${url}/`,
    ...(role?.token && isOnly
      ? [
        `export AWS_CONTAINER_CREDENTIALS_FULL_URI=${url}/role/${role.name}`,
        ...(role.token.file === undefined
          ? [`export AWS_CONTAINER_AUTHORIZATION_TOKEN=${role.token.text}`]
          : formatTokenFileExports(role.token.file)),
      ]
      : []),
  ];
}

/** Returns the URL of the endpoint, without a trailing slash; nothing for a Unix socket. */
function endpointOf(bind: BindAddress, port: number): string {
  return bind.kind === "unix" ? "" : endpointUrl({ address: bind.address, port });
}

/** Returns a line for each role of `--roles`: its clients. */
function formatRoles({ roles, table }: RoleSet, url: string): string[] {
  return roles.flatMap((role) => {
    const { settings: { label, users = [] }, token } = role;
    if (label === undefined) return [];
    const clients = [
      ...(users.length > 0 ? [`users ${users.map(({ name }) => name).join(", ")}`] : []),
      ...(table.others === role ? [table.byUser.size > 0 ? "all other users" : "all users"] : []),
      ...(token ? [`${url}/role/${role.name} with the token in ${token.file}`] : []),
    ];
    return [
      clients.length > 0
        ? `${label}: ${clients.join("; ")}`
        : `warning: ${label}: it has no clients; add users or a tokenFile`,
    ];
  });
}

function formatChanges({ added, changed, removed, kept }: RoleChanges): string {
  const parts = Object.entries({ added, changed, removed }).flatMap(([what, names]) =>
    names.length === 0 ? [] : [`${what} ${names.join(", ")}`]
  );
  return `roles read again: ${[...parts, `${kept.length} unchanged`].join("; ")}`;
}
