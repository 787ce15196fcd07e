/**
 * `update` without `--once`: renews and writes credentials before they expire, retries after
 * failures, and ends on a signal.
 *
 * @module
 */
import { EXIT_CODES, HelperError } from "../errors.ts";
import { backoffDelay } from "../credentials/refresh/refresh_schedule.ts";
import {
  type RefreshDeps,
  Refresher,
  type RefreshEvent,
} from "../credentials/refresh/refresher.ts";
import { systemdNotifier } from "../runtime/sd_notify.ts";
import { SessionVendor } from "../credentials/refresh/session_vendor.ts";
import type { IdentitySource } from "../keystore/open_identity.ts";
import type { KeystoreContext } from "../keystore/types.ts";
import type { VendedSession } from "../credentials/refresh/session.ts";
import type { CreateSessionDeps, SessionCredentials } from "../rolesanywhere/create_session.ts";
import { PROGRAM } from "./program.ts";
import { createRefreshDeps, STOP_TIMEOUT } from "./refresh_deps.ts";
import { createUpdateLog } from "./update_log.ts";
import type { System } from "./system.ts";

/** The profile to keep up to date, and where its credentials come from. */
export interface ProfileUpdate {
  readonly source: IdentitySource;
  readonly request: VendedSession;
  readonly context: KeystoreContext;
  readonly deps: CreateSessionDeps;
  /** Names the profile and file in messages. */
  readonly target: string;
  /** Writes the credentials. Throws the signal's reason if the signal comes before it begins. */
  write(credentials: SessionCredentials, signal: AbortSignal): Promise<void>;
}

/**
 * Writes credentials until SIGINT or SIGTERM. At startup, errors of the network and the service are
 * retried, and others thrown.
 */
export async function runUpdateLoop(profile: ProfileUpdate, system: System): Promise<void> {
  using hold = system.holdSignals();
  const { signal } = hold;
  const ended = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const info = (message: string) => system.log(`${PROGRAM}: ${message}`);
  const { source, request, context, deps } = profile;
  await using vendor = new SessionVendor(source, request, system.registry, context, deps, info);
  const renew = createRenewal(vendor, profile, system, signal);
  const log = createUpdateLog(profile.target, info, deps.debug);
  const onEvent = (event: RefreshEvent) => signal.aborted || log(event);
  const starting = startWithRetries(renew, createRefreshDeps(system), onEvent, signal, ended);
  const notify = systemdNotifier(system.environment("NOTIFY_SOCKET"));
  await Promise.race([starting, ended]);
  notify("READY=1");
  await ended;
  notify("STOPPING=1");
  const stopped = starting.then((refresher) => refresher?.stop(), () => {});
  await Promise.race([stopped, system.sleep(STOP_TIMEOUT)]);
}

/**
 * Returns a function that fetches a session and writes it. A session that could not be written is
 * kept for the next attempt.
 */
function createRenewal(
  vendor: SessionVendor,
  profile: ProfileUpdate,
  system: System,
  signal: AbortSignal,
): () => Promise<SessionCredentials> {
  let unwritten: { readonly credentials: SessionCredentials; readonly until: number } | undefined;
  return async () => {
    const now = () => system.now().getTime();
    if (!unwritten || now() > unwritten.until) {
      const credentials = await vendor.vend();
      unwritten = { credentials, until: (now() + credentials.expiration.getTime()) / 2 };
    }
    const { credentials } = unwritten;
    await profile.write(credentials, signal);
    unwritten = undefined;
    return credentials;
  };
}

async function startWithRetries(
  renew: () => Promise<SessionCredentials>,
  deps: RefreshDeps,
  onEvent: (event: RefreshEvent) => void,
  signal: AbortSignal,
  ended: Promise<void>,
): Promise<Refresher | undefined> {
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      return await Refresher.start(renew, deps, onEvent);
    } catch (error) {
      if (!(error instanceof HelperError) || !isRetryable(error)) throw error;
      const delay = backoffDelay(failures, error.code, deps.random());
      const nextAttempt = new Date(deps.now().getTime() + delay);
      onEvent({ kind: "failed", error, failures, nextAttempt, credentials: undefined });
      const retryTime = new Promise<void>((resolve) => deps.startTimer(delay, resolve));
      await Promise.race([retryTime, ended]);
    }
  }
  return undefined;
}

/** Returns true for errors of the network and the service that a retry can resolve. */
function isRetryable({ code, exitCode }: HelperError): boolean {
  return code !== "tls" && code !== "proxy" &&
    (exitCode === EXIT_CODES.network.value || exitCode === EXIT_CODES.unavailable.value);
}
