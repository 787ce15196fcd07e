/**
 * Clients of AWS find the real binary's credentials by every way that they have, and sign with
 * them. A service that knows the vended secrets recomputes each signature. The table in
 * tests/README.md has the results.
 */
import { assertEquals, assertExists } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "../support/binary.ts";
import { testWith, whyMissing } from "../support/needs.ts";
import { AWS_CLIENTS, type AwsClient, expected, rowHere, type Way, WAYS } from "./aws_clients.ts";
import type { ClientRun } from "./clients_worker.ts";

const WORKER = fileURLToPath(new URL("clients_worker.ts", import.meta.url));
/** A worker that takes longer hangs, milliseconds. */
const WORK_TIMEOUT = 400_000;
/**
 * Command that adds the address of EC2's metadata service to the namespace's loopback device, or
 * not.
 */
const WITH_ADDRESS = 'ip link set lo up; ip address add 169.254.169.254/32 dev lo; exec "$@"';
const WITHOUT_ADDRESS = 'ip link set lo up; exec "$@"';

for (const way of WAYS) {
  testWith(
    ["binary", "network-namespace", "mount-namespace", "program:ip"],
    `clients of AWS get credentials by ${way}, where the table has it`,
    async (t) => {
      const runs = await runClients(way);
      for (const client of AWS_CLIENTS) {
        const isExpected = expected(client, way);
        if (isExpected === undefined || whyMissing(client.need) !== undefined) continue;
        await t.step(`${client.name}: ${isExpected ? "yes" : "no"}`, async () => {
          const first = runs.find((run) => run.client === client.name);
          assertExists(first);
          if (isExpected) await checkSuccess(client, way, first);
          else checkFailure(client, first);
        });
      }
    },
  );
}

for (const { name, need } of AWS_CLIENTS) {
  if (whyMissing(need) === undefined) continue;
  testWith([need], `${name} gets credentials`, () => {});
}

/** Runs the clients by the way, or only the one named. */
async function runClients(way: Way, client?: string): Promise<ClientRun[]> {
  const network = way === "fixed address" ? WITH_ADDRESS : WITHOUT_ADDRESS;
  const { code, stdout, stderr } = await runProgram("unshare", [
    ...["--map-root-user", "--net", "--mount", "sh", "-ec", network, "sh"],
    ...[Deno.execPath(), "run", "--quiet", "--cached-only", "--allow-all", "--no-check"],
    ...[WORKER, way, ...client === undefined ? [] : [client]],
  ], {
    env: { DENO_DIR: Deno.env.get("DENO_DIR") ?? "", NO_COLOR: "1" },
    timeout: WORK_TIMEOUT,
  });
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  // No client may need this way, for example port 80 with Debian 13's.
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line): ClientRun => JSON.parse(line));
}

/** Runs a failed client again without others: most wait for metadata one second only. */
async function checkSuccess({ name }: AwsClient, way: Way, first: ClientRun): Promise<void> {
  const run = isFine(first) ? first : (await runClients(way, name))[0];
  assertExists(run);
  assertEquals(
    { code: run.code, proven: run.proven, refused: run.refused, isSigned: run.verified > 0 },
    { code: 0, proven: true, refused: [], isSigned: true },
    `${run.stdout}\n${run.stderr}`,
  );
}

/** Checks a client that finds no credentials. Another version than the table's may find them. */
function checkFailure(client: AwsClient, run: ClientRun): void {
  if (installedVersion(client) !== rowHere(client).version) return;
  assertEquals(run.verified, 0, "the table has no: it must find no credentials in this way");
}

function isFine({ code, proven, refused, verified }: ClientRun): boolean {
  return code === 0 && proven && refused.length === 0 && verified > 0;
}

/** Returns the upstream version of the client's Debian package; the pinned version of others. */
function installedVersion({ debian, version }: AwsClient): string {
  if (debian === undefined) return version;
  const { stdout } = new Deno.Command("dpkg-query", {
    args: ["--show", "--showformat=${source:Upstream-Version}", debian],
  }).outputSync();
  return new TextDecoder().decode(stdout).replace(/\+dfsg.*$/, "");
}
