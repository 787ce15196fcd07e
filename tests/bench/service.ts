/**
 * Service of a benchmark, in its own process, so that it does not share a processor with the
 * stopwatch. It creates everything for a session, prints it as one line of JSON, and ends with its
 * standard input.
 *
 * Usage: deno run -A tests/bench/service.ts [LATENCY-MILLISECONDS]
 *
 * @module
 */
import { signRequest } from "../emulator/request_signer.ts";
import { ARNS, SessionScenario } from "../support/session_scenario.ts";

/** Requests before the first measured one: a service that runs has compiled its code. */
const WARM_UPS = 500;

await using scenario = await SessionScenario.create({}, {
  latencyMilliseconds: Number(Deno.args[0] ?? 0),
});
const { directory, identity, flags } = scenario;
await warmUp(scenario);
const line = JSON.stringify({ directory: directory.path, keyPath: identity.keyPath, flags });
Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
for await (const _ of Deno.stdin.readable) {
  // the input is ignored; only its end counts
}

async function warmUp({ identity, caBundle, emulator }: SessionScenario): Promise<void> {
  const { host } = new URL(emulator.url);
  using client = Deno.createHttpClient({
    caCerts: [await Deno.readTextFile(caBundle)],
    poolMaxIdlePerHost: 0,
  });
  for (let i = 0; i < WARM_UPS; i++) {
    const { method, url, headers, body } = await signRequest(identity, {
      host,
      time: new Date(),
      query: [
        ["profileArn", ARNS.profile],
        ["roleArn", ARNS.role],
        ["trustAnchorArn", ARNS.trustAnchor],
      ],
    });
    const answer = await fetch(`https://${host}${url}`, {
      method,
      headers: [...headers].map(([name, value]): [string, string] => [name, value]),
      body,
      client,
    });
    if (answer.status !== 201) throw new Error(`a warm-up was answered ${await answer.text()}`);
    await answer.body?.cancel();
  }
}
