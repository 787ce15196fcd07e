/**
 * Signals that ask the process to end.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { SignalHold } from "../../keystore/types.ts";

/** What asks a process to end; Windows knows Ctrl-C and Ctrl-Break alone. */
export const ENDING_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Turns ending signals into an abort, until it is disposed of. A hangup that whoever started the
 * process wants ignored (nohup(1)) stays without effect, where the system tells.
 */
export function holdSignals(): SignalHold {
  hangupIsIgnored ??= ignoresHangup();
  const controller = new AbortController();
  const abort = () => controller.abort(new HelperError("interrupted", "interrupted by a signal"));
  const listeners = ENDING_SIGNALS.map((signal) => {
    // Not to listen would not do: with a listener for any signal, the runtime ends on a hangup.
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

/** As it was before the first listener, which changes it. */
let hangupIsIgnored: boolean | undefined;

function ignoresHangup(): boolean {
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    return /^SigIgn:\s*[0-9a-f]*[13579bdf]$/m.test(status); // the lowest bit is SIGHUP's
  } catch {
    return false;
  }
}
