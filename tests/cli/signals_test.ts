import { assertEquals, assertInstanceOf } from "@std/assert";

import { holdSignals, onHangup, TERMINATION_SIGNALS } from "../../src/cli/terminal/signals.ts";
import { HelperError } from "../../src/errors.ts";

// SIGINT is caught by `deno test` itself.
for (const signal of TERMINATION_SIGNALS.filter((name) => name !== "SIGINT")) {
  Deno.test(`holdSignals() aborts with an interrupted error and keeps the process on ${signal}`, async () => {
    using hold = holdSignals();
    assertEquals(hold.signal.aborted, false);
    Deno.kill(Deno.pid, signal);
    while (!hold.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 1));
    assertInstanceOf(hold.signal.reason, HelperError);
    assertEquals([hold.signal.reason.code, hold.signal.reason.exitCode], ["interrupted", 130]);
  });
}

Deno.test({
  name: "onHangup() calls back at SIGHUP, which does not abort work that holds signals then",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    let calls = 0;
    using _callback = onHangup(() => calls += 1);
    using hold = holdSignals();
    for (let i = 1; i <= 3; i++) {
      Deno.kill(Deno.pid, "SIGHUP");
      while (calls < i) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assertEquals(hold.signal.aborted, false);
    Deno.kill(Deno.pid, "SIGTERM");
    while (!hold.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 1));
  },
});
