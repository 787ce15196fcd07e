import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";

import { runBinary } from "../support/binary.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { seededRandom } from "../x509/seeded_random.ts";

const KILLS = 200;
/** Number of runs that are killed in parallel, each with its own file. */
const LANES = 2;

/** Size that makes writing take a good part of the time. */
const BULK = `# ${"x".repeat(78)}\n`.repeat(6_000);
const BEFORE = `${BULK}[first]\nregion = eu-west-1\n\n[default]\n`;
const AFTER = `output = json\n${BULK}[last]\nk = v`;

const isTemporary = (name: string) => name.endsWith(".tmp");

/** Returns the session in the file, which must be complete and issued. */
function sessionIn(text: string, { emulator }: SessionScenario): string {
  assert(text.startsWith(BEFORE) && text.endsWith(AFTER));
  const lines = text.slice(BEFORE.length, -AFTER.length);
  const [, key = "none"] = /^aws_access_key_id = (\w+)\n/.exec(lines) ?? [];
  const issued = emulator.issued.find(({ accessKeyId }) => accessKeyId === key);
  const expected = issued
    ? `aws_access_key_id = ${issued.accessKeyId}\naws_secret_access_key = ` +
      `${issued.secretAccessKey}\naws_session_token = ${issued.sessionToken}\n`
    : "";
  assertEquals(lines, expected);
  return key;
}

Deno.test(`update leaves the complete old or new file at each of ${KILLS} kill -9`, async () => {
  // Refreshed often; one of a second could have expired on arrival.
  await using scenario = await SessionScenario.create({}, { sessionSeconds: 3 });
  const pick = seededRandom(9);
  const seen = { changed: 0, unchanged: 0, leftovers: 0 };

  async function lane(number: number): Promise<void> {
    const home = { HOME: scenario.directory.join(`home-${number}`) };
    const path = scenario.directory.write(`home-${number}/.aws/credentials`, BEFORE + AFTER);
    const names = () => [...Deno.readDirSync(`${home.HOME}/.aws`)].map(({ name }) => name);
    const update = () => new RunningBinary(["update", ...scenario.flags], home);

    const started = performance.now();
    {
      await using running = update();
      await running.waitForLine(/wrote/);
    }
    const firstWrite = performance.now() - started;

    /** Waits for the kill: most come at any time until well after the first write; some during a write. */
    async function waitToKill(): Promise<void> {
      const aimed = pick(4) === 0;
      const max = aimed ? 20 * firstWrite : firstWrite * (pick(5) === 0 ? 4 : 1.4);
      const end = performance.now() + (aimed ? max : pick(1000) / 1000 * max);
      const old = names();
      const writes = () => names().some((name) => isTemporary(name) && !old.includes(name));
      while (performance.now() < end && !(aimed && writes())) {
        await new Promise((done) => setTimeout(done, 1));
      }
    }

    let last = sessionIn(Deno.readTextFileSync(path), scenario);
    for (let kills = 0; kills < KILLS / LANES; kills++) {
      await using running = update();
      await waitToKill();
      running.kill("SIGKILL");
      await running.end();
      const found = sessionIn(Deno.readTextFileSync(path), scenario);
      seen[found === last ? "unchanged" : "changed"]++;
      last = found;
      const leftovers = names().filter(isTemporary).length;
      seen.leftovers += leftovers;
      assertLessOrEqual(leftovers, 1);
      assertLessOrEqual(names().length, 3); // the file, one leftover, a lock file that is not locked
    }
    const { code } = await runBinary(["update", ...scenario.flags, "--once"], { env: home });
    assertEquals([code, names()], [0, ["credentials"]]);
  }

  await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i)));
  // The kills came before, between and during writes.
  assertGreater(seen.changed, 10);
  assertGreater(seen.unchanged, 10);
  assertGreater(seen.leftovers, 0);
});
