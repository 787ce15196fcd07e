/**
 * Memory, files and responses of the real binary's `serve` under constant load. Meanwhile the
 * service fails in every way, certificates rotate, and clients come and go.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { FailureMode } from "../emulator/failures.ts";
import { issueCertificate } from "../support/certificates.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { seededRandom } from "../x509/seeded_random.ts";
import type { Soak, SoakOptions } from "./soak.ts";
import type { VisitReport } from "./visitors.ts";

const REQUESTS_PER_SECOND = 200;
/** Sessions are renewed at half of their lifetime: 150 s are left for retries, whose backoff doubles from 1 s. */
const SESSION_SECONDS = 300;
/** Maximum duration of a failure, seconds. */
const MAX_FAILURE = 20;
/** Minimum time without failures after that, seconds, so that a retry succeeds before the session expires. */
const MIN_RECOVERY = 40;
/** Temporary failures. After a refusal the next call comes in half an hour, when the session has ended. */
const PASSING: readonly FailureMode[] = [
  ...["throttled", "service-error", "unavailable", "drop", "hang", "half-answer"] as const,
  ...["slow", "wrong-json", "empty-set", "huge-answer", "missing-fields"] as const,
  "bad-expiration",
];
const ROTATION_INTERVAL = 15_000;
const SAMPLE_INTERVAL = 10_000;
/** Limits: a response, milliseconds; memory after the first tenth, files from before to after. */
const LIMITS = { answer: 250, memoryGrowth: 1.1, memoryMargin: 8 << 20, fileMargin: 4 } as const;
/** After the clients have left, their connections are closed within this, milliseconds. */
const AFTERMATH = 8000;

interface Sample {
  readonly residentBytes: number;
  /** Undefined where another user's process is not shown. */
  readonly files: number | undefined;
}

/** The soak of `serve`. */
export const soak: Soak = async ({ seconds, seed, log }: SoakOptions) => {
  const random = seededRandom(seed);
  await using scenario = await SessionScenario.create({}, { sessionSeconds: SESSION_SECONDS });
  await using serve = await ServeProcess.start(scenario);
  const end = performance.now() + seconds * 1000;
  const isOver = () => performance.now() >= end;
  const pause = (milliseconds: number) =>
    new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds, end - performance.now())));

  const fail = async () => {
    for (let i = 0; !isOver(); i++) {
      await pause(random(1000 * MAX_FAILURE));
      scenario.emulator.fail(PASSING[i % PASSING.length] ?? "hang");
      await pause(random(1000 * MAX_FAILURE));
      scenario.emulator.recover();
      await pause(1000 * MIN_RECOVERY);
    }
  };
  let rotations = 0;
  const rotate = async () => {
    for (; !isOver(); rotations++) {
      await pause(ROTATION_INTERVAL);
      const { certificatePem, keyPem } = await issueCertificate(scenario.trustAnchor, {
        subject: `/CN=rotated-${rotations}`,
      });
      // One after the other, as certbot does: for a moment they do not belong together.
      await Deno.writeTextFile(scenario.identity.certificatePath, certificatePem);
      await pause(20);
      await Deno.writeTextFile(scenario.identity.keyPath, keyPem);
    }
  };
  const samples: Sample[] = [];
  const sample = async () => {
    for (; !isOver(); await pause(SAMPLE_INTERVAL)) samples.push(await look(serve.binary.pid));
  };
  const visits: VisitReport[] = [];
  const visit = async () => {
    await using child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--cached-only", "--no-check", "-A"],
        fileURLToPath(new URL("visitors.ts", import.meta.url)),
        ...[String(serve.port), CREDENTIALS_PATH, String(REQUESTS_PER_SECOND)],
        ...[String(seconds), String(seed)],
      ],
      stdout: "piped",
    }).spawn();
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) visits.push(JSON.parse(line));
    }
  };
  const before = await look(serve.binary.pid);
  await Promise.all([fail(), rotate(), sample(), visit()]);
  await new Promise((resolve) => setTimeout(resolve, AFTERMATH));
  const after = await look(serve.binary.pid);
  const { code } = await serve.end();

  const statuses: Record<string, number> = {};
  for (const { statuses: met } of visits) {
    for (const [status, count] of Object.entries(met)) {
      statuses[status] = (statuses[status] ?? 0) + count;
    }
  }
  const max = Math.max(...visits.map((each) => each.max));
  const maxWhileLate = Math.max(...visits.map((each) => each.maxWhileLate));
  const tenth = Math.max(1, Math.floor(samples.length / 10));
  const early = worst(samples.slice(tenth, 2 * tenth + 1));
  const late = worst(samples.slice(-tenth - 1));
  const megabytes = ({ residentBytes }: Sample) => (residentBytes / 1e6).toFixed(1);
  log(
    `serve: ${seconds} s, answers ${JSON.stringify(statuses)}, longest ${max.toFixed(0)} ms ` +
      `(${maxWhileLate.toFixed(0)} ms while the client was held up), ` +
      `${megabytes(early)} MB early and ${megabytes(late)} MB late, ` +
      `${before.files} files before, ${late.files} at most late, ${after.files} after, ` +
      `${scenario.emulator.requests.length} CreateSession calls, ${rotations} rotations, exit ${code}`,
  );
  const problems = [
    [code !== 0, `exit code ${code}`],
    [Object.keys(statuses).join() !== "200", "answers other than 200"],
    [max >= LIMITS.answer, `an answer took ${max.toFixed(0)} ms`],
    [
      late.residentBytes > early.residentBytes * LIMITS.memoryGrowth + LIMITS.memoryMargin,
      "memory grows",
    ],
    [(after.files ?? 0) > (before.files ?? 0) + LIMITS.fileMargin, "files grow"],
  ] as const;
  return problems.filter(([isProblem]) => isProblem).map(([, text]) => text);
};

/** Returns the maximum of each figure. */
function worst(samples: readonly Sample[]): Sample {
  const files = samples.flatMap((each) => each.files ?? []);
  return {
    residentBytes: Math.max(...samples.map((each) => each.residentBytes)),
    files: files.length > 0 ? Math.max(...files) : undefined,
  };
}

async function look(pid: number): Promise<Sample> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const residentBytes = 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
  try {
    return { residentBytes, files: [...Deno.readDirSync(`/proc/${pid}/fd`)].length };
  } catch {
    return { residentBytes, files: undefined }; // serve is not dumpable: only root may look
  }
}
