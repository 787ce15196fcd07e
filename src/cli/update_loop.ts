/**
 * `update` without `--once`: credentials are renewed and written ahead of their end, through
 * failures, until a signal says that it is enough.
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
import type {
  CreateSessionDeps,
  SessionCredentials,
  SessionRequest,
} from "../rolesanywhere/create_session.ts";
import { PROGRAM } from "./program.ts";
import { refreshDeps } from "./refresh_deps.ts";
import { updateLog } from "./update_log.ts";
import type { System } from "./system.ts";

/** What is kept fresh. */
export interface FreshProfile {
  readonly source: IdentitySource;
  readonly request: SessionRequest;
  readonly context: KeystoreContext;
  readonly deps: CreateSessionDeps;
  /** How messages name what is written. */
  readonly place: string;
  /** Writes the credentials; ends with the signal's reason when that comes before it has begun. */
  write(credentials: SessionCredentials, signal: AbortSignal): Promise<void>;
}

/** How long a call under way is waited for when the program is to end, milliseconds. */
const END_TIMEOUT = 2_000;

/**
 * Writes, and keeps writing until SIGINT or SIGTERM. What keeps the first credentials from coming is
 * waited out where time can heal it (the network, the service), and thrown where it cannot.
 */
export async function runUpdateLoop(profile: FreshProfile, system: System): Promise<void> {
  using hold = system.holdSignals();
  const { signal } = hold;
  const ended = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const say = (words: string) => system.say(`${PROGRAM}: ${words}`);
  const { source, request, context, deps } = profile;
  await using vendor = new SessionVendor(source, request, system.registry, context, deps, say);
  const renew = renewer(vendor, profile, system, signal);
  const log = updateLog(profile.place, say, deps.debug);
  const tell = (event: RefreshEvent) => signal.aborted || log(event);
  const starting = startWithRetries(renew, refreshDeps(system), tell, signal, ended);
  const notify = systemdNotifier(system.environment("NOTIFY_SOCKET"));
  await Promise.race([starting, ended]);
  notify("READY=1");
  await ended;
  notify("STOPPING=1");
  const stopped = starting.then((refresher) => refresher?.stop(), () => {});
  await Promise.race([stopped, system.sleep(END_TIMEOUT)]);
}

/** One renewal: a session, written. One that could not be written is kept for the next attempt. */
function renewer(
  vendor: SessionVendor,
  profile: FreshProfile,
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
  tell: (event: RefreshEvent) => void,
  signal: AbortSignal,
  ended: Promise<void>,
): Promise<Refresher | undefined> {
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      return await Refresher.start(renew, deps, tell);
    } catch (error) {
      if (!(error instanceof HelperError) || !isRetryable(error)) throw error;
      const delay = backoffDelay(failures, error.code, deps.random());
      const nextAttempt = new Date(deps.now().getTime() + delay);
      tell({ kind: "failed", error, failures, nextAttempt, credentials: undefined });
      const pause = new Promise<void>((resolve) => deps.startTimer(delay, resolve));
      await Promise.race([pause, ended]);
    }
  }
  return undefined;
}

/** Returns true for errors of the network and the service that another attempt may not have. */
function isRetryable({ code, exitCode }: HelperError): boolean {
  return code !== "tls" && code !== "proxy" &&
    (exitCode === EXIT_CODES.network.value || exitCode === EXIT_CODES.unavailable.value);
}
