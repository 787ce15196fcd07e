/** Sends one request without verification to the URL in the arguments, and prints the result's code. */
import { HelperError } from "../../src/errors.ts";
import { createSender } from "../../src/http/http_client.ts";

const send = createSender({ verifyServer: false, extraAuthorities: [], userAgent: "test/1" });
const result = await send({
  url: new URL(Deno.args[0] ?? ""),
  method: "POST",
  headers: new Map(),
  body: new TextEncoder().encode("body"),
}, 1000).then(
  ({ status }) => `HTTP ${status}`,
  (thrown) => thrown instanceof HelperError ? thrown.code : `not expected: ${thrown}`,
);
Deno.stdout.writeSync(new TextEncoder().encode(result));
Deno.exit(0);
