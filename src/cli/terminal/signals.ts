/**
 * Termination signals.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { SignalHold } from "../../keystore/types.ts";

/** Signals that request termination. Windows has only Ctrl-C and Ctrl-Break. */
export const TERMINATION_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Calls back at each SIGHUP, until the result is disposed of. SIGHUP is not a termination signal then.
 * Does nothing on Windows.
 */
export function onHangup(callback: () => void): Disposable {
  if (Deno.build.os === "windows") return { [Symbol.dispose]() {} };
  Deno.addSignalListener("SIGHUP", callback);
  hangupCallbacks += 1;
  return {
    [Symbol.dispose]() {
      hangupCallbacks -= 1;
      Deno.removeSignalListener("SIGHUP", callback);
    },
  };
}

/** Number of callbacks of {@link onHangup}. */
let hangupCallbacks = 0;

/**
 * Aborts the returned signal on a termination signal, until it is disposed of. SIGHUP stays ignored
 * if the parent process ignored it (nohup(1)); only Linux shows this.
 */
export function holdSignals(): SignalHold {
  hangupIsIgnored ??= isHangupIgnored();
  const controller = new AbortController();
  const abort = () => controller.abort(new HelperError("interrupted", "interrupted by a signal"));
  const listeners = TERMINATION_SIGNALS.map((signal) => {
    // An empty listener, not none: with a listener for any signal, the runtime ends on SIGHUP.
    const isIgnored = signal === "SIGHUP" && (hangupIsIgnored || hangupCallbacks > 0);
    const listener = isIgnored ? () => {} : abort;
    return [signal, listener] as const;
  });
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}

/** State before the first listener, which changes it. */
let hangupIsIgnored: boolean | undefined;

function isHangupIgnored(): boolean {
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    return /^SigIgn:\s*[0-9a-f]*[13579bdf]$/m.test(status); // the lowest bit is SIGHUP's
  } catch {
    return false;
  }
}
