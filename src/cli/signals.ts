/**
 * Signals that ask the process to end.
 *
 * @module
 */
import { HelperError } from "../errors.ts";
import type { SignalHold } from "../keystore/types.ts";

/** What asks a process to end; Windows knows Ctrl-C and Ctrl-Break alone. */
export const ENDING_SIGNALS: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/** Turns ending signals into an abort, until it is disposed of. */
export function holdSignals(): SignalHold {
  const controller = new AbortController();
  const abort = () => controller.abort(new HelperError("interrupted", "interrupted by a signal"));
  for (const signal of ENDING_SIGNALS) Deno.addSignalListener(signal, abort);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const signal of ENDING_SIGNALS) Deno.removeSignalListener(signal, abort);
    },
  };
}
