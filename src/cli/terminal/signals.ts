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
 * Calls back at each termination signal, until the result is disposed of. SIGHUP stays ignored if the parent
 * process ignored it (nohup(1)); only Linux shows this.
 */
export function onTermination(callback: () => void): Disposable {
  keepHangupIgnored();
  const listeners = TERMINATION_SIGNALS.map((signal) => {
    const isIgnored = signal === "SIGHUP" && (hangupIsIgnored || hangupCallbacks > 0);
    return [signal, isIgnored ? ignore : callback] as const;
  });
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return {
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}

/** Aborts the returned signal on a termination signal, as of {@link onTermination}, until it is disposed of. */
export function holdSignals(): SignalHold {
  const controller = new AbortController();
  const listening = onTermination(() =>
    controller.abort(new HelperError("interrupted", "interrupted by a signal"))
  );
  return { signal: controller.signal, [Symbol.dispose]: () => listening[Symbol.dispose]() };
}

/** An empty listener, not none: with a listener for any signal, the runtime ends on SIGHUP. */
const ignore = () => {};

/** Keeps SIGHUP ignored to the end: the runtime's default is set again when a listener is removed. */
function keepHangupIgnored(): void {
  if (hangupIsIgnored !== undefined) return;
  hangupIsIgnored = isHangupIgnored();
  if (hangupIsIgnored) Deno.addSignalListener("SIGHUP", () => {});
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
