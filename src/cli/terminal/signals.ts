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
 * Aborts the returned signal on a termination signal, until it is disposed of. SIGHUP stays ignored
 * if the parent process ignored it (nohup(1)); only Linux shows this.
 */
export function holdSignals(): SignalHold {
  hangupIsIgnored ??= isHangupIgnored();
  const controller = new AbortController();
  const abort = () => controller.abort(new HelperError("interrupted", "interrupted by a signal"));
  const listeners = TERMINATION_SIGNALS.map((signal) => {
    // An empty listener, not none: with a listener for any signal, the runtime ends on SIGHUP.
    const listener = signal === "SIGHUP" && hangupIsIgnored ? () => {} : abort;
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
