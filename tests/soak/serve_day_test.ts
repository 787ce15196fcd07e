import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { fileURLToPath } from "node:url";
import { runLoad } from "../support/load_process.ts";
import { CREDENTIALS_PATH } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

/** A day passes in two minutes. A session's last 25 minutes are 2 s, in which a machine may pause. */
const SPEED = 720;
const REQUESTS = 1_000_000;
const FIRST = 100_000;

interface Usage {
  readonly hours: number;
  readonly refreshes: number;
  readonly failures: number;
  readonly residentBytes: number;
  readonly files: number;
}

Deno.test("serve's parts use no more memory and files after a day of refreshes and 1,000,000 requests", async (t) => {
  const start = Date.now();
  await using scenario = await SessionScenario.create({ days: 365 }, {
    clock: () => new Date(start + (Date.now() - start) * SPEED),
    // Five minutes are 0.4 s here, less than a busy machine may take from signing to reading.
    clockSkew: 2 * 3_600_000,
  });
  const { identity, caBundle, emulator } = scenario;
  await using child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--cached-only", "--allow-all", "--no-check"],
      fileURLToPath(new URL("serve_day.ts", import.meta.url)),
      ...[String(SPEED), String(start), emulator.url],
      ...[identity.certificatePath, identity.keyPath, caBundle],
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const stdin = child.stdin.getWriter();
  const lines = readLines(child.stdout);
  const next = async <T>() => JSON.parse((await lines.next()).value ?? "null") as T;
  const usage = async () => {
    await stdin.write(new TextEncoder().encode("\n"));
    return await next<Usage>();
  };
  /** With the fewest files of ten looks within three seconds: one may meet a refresh, with its connection. */
  const quietUsage = async () => {
    let quiet = await usage();
    for (let look = 1; look < 10; look++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { files, ...rest } = await usage();
      quiet = { ...rest, files: Math.min(files, quiet.files) };
    }
    return quiet;
  };
  const { port } = await next<{ port: number }>();
  const url = `http://127.0.0.1:${port}`;
  const load = async (requests: number) => {
    // A fresh token each time: at this speed they grow old quickly.
    const token = await (await fetch(`${url}/latest/api/token`, { method: "PUT" })).text();
    const path = CREDENTIALS_PATH;
    const report = await runLoad({ url, path, token, connections: 16, seconds: 300, requests });
    assertEquals([report.refused, report.broken], [0, 0]);
    return report.requests;
  };
  let done = await load(FIRST);
  const early = await quietUsage();
  while (done < REQUESTS) done += await load(FIRST);
  let late = await usage();
  while (late.hours < 24) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    late = await usage();
  }
  late = await quietUsage();
  const megabytes = ({ residentBytes }: Usage) => (residentBytes / 1e6).toFixed(1);
  await t.step(
    `${late.hours.toFixed(1)} hours, ${late.refreshes} refreshes, ${done} requests: ` +
      `${megabytes(early)} MB after ${FIRST}, ${megabytes(late)} MB at the end, ` +
      `${early.files} and ${late.files} files`,
    () => {
      assertLessOrEqual(late.residentBytes, 1.1 * early.residentBytes);
      assertLessOrEqual(late.files, early.files);
      assert(late.refreshes > 40 && late.failures === 0, JSON.stringify(late));
      // One may be on its way.
      assertLessOrEqual(Math.abs(emulator.requests.length - late.refreshes), 1);
    },
  );
  await stdin.close();
  assertEquals((await child.status).code, 0);
  await lines.return(undefined);
});

async function* readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
