// deno-lint-ignore-file no-console -- a benchmark prints its results
/**
 * `make bench`: start-up, peak memory and size of the binary, each as a ratio to a compiled hello
 * world. Both are measured in the same run, in turns. Ends with 1 if a target is missed.
 *
 * Usage: deno run -A tests/bench/run.ts BINARY
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { resolve } from "node:path";
import { denortFromNpm } from "../../packaging/denort.ts";
import { generateKey } from "../support/certificates.ts";
import { ENVIRONMENT, median, timeRun } from "./measure.ts";
import { pkcs12Subjects } from "./pkcs12.ts";
import { startService } from "./start_service.ts";
import { listingSubjects, tokenSubject } from "./token.ts";
import { HANDLE, HANDLE_WITH_PASSWORD, PASSWORD, startTpm } from "./tpm_key.ts";

const RUNS = 20;
const WARM_UPS = 3;
/** The binary may be this much larger than hello world, bytes. */
const SIZE_MARGIN = 3_000_000;

interface Subject {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The ratio to reach; absent, the figure is for information. */
  readonly target?: number;
  /** Name of the subject that the ratio is to; default: hello world. */
  readonly against?: string;
  /** Number of runs instead of {@link RUNS}, for slow subjects. */
  readonly runs?: number;
}

/** Environment of the programs, without the additions of a subject. */
const environment: Record<string, string> = { ...ENVIRONMENT };

/** Returns the peak resident memory in MB, by the kernel. */
async function peakMemory({ command, env = {} }: Subject): Promise<number> {
  const script = "import resource, subprocess, sys\n" +
    "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n" +
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
  const { stdout, success } = await new Deno.Command("python3", {
    args: ["-c", script, ...command],
    env: { ...environment, ...env },
  }).output();
  if (!success) throw new Error(`${command[0]} failed under python3`);
  return Number(new TextDecoder().decode(stdout)) / 1000;
}

/** Compiles hello world with the flags of the real build. */
async function compileHelloWorld(output: string): Promise<void> {
  const compile = async (env: Record<string, string>) =>
    await new Deno.Command(Deno.execPath(), {
      args: [
        "compile",
        "--quiet",
        "--no-check",
        "--no-config",
        "--no-lock",
        "--no-code-cache",
        "--allow-all",
        "--output",
        output,
        fileURLToPath(new URL("hello_world.ts", import.meta.url)),
      ],
      env,
    }).output();
  if ((await compile({})).success) return;
  const base = await denortFromNpm(Deno.build.target, resolve("build/toolchain"));
  const { success, stderr } = await compile({ DENORT_BIN: base });
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/**
 * Copies a program just before it is measured, both in the same way. The way a file came into the
 * page cache makes up to a tenth of a program's start time.
 */
async function freshCopy(program: string, name: string): Promise<string> {
  const copy = resolve("build/bench", name);
  await Deno.remove(copy).catch(() => {});
  await Deno.writeFile(copy, await Deno.readFile(program), { mode: 0o755 });
  return copy;
}

await Deno.mkdir(resolve("build/bench"), { recursive: true });
const compiled = resolve("build/bench/compiled_hello_world");
await compileHelloWorld(compiled);
const helloWorld = await freshCopy(compiled, "hello_world");
const binary = await freshCopy(
  resolve(Deno.args[0] ?? "build/bin/aws_signing_helper"),
  "aws_signing_helper",
);

await using service = await startService();
await using slowService = await startService(100);
const { directory, keyPath, flags } = service;
const rsaKey = resolve(directory, "rsa.pem");
await Deno.writeTextFile(rsaKey, await generateKey("rsa-2048"), { mode: 0o600 });

const pkcs12 = await pkcs12Subjects(binary, directory);

await using tpm = await startTpm();
Object.assign(environment, tpm.env);
using token = await tokenSubject();
using listing = await listingSubjects(binary);

const subjects: readonly Subject[] = [
  { name: "hello world", command: [helloWorld] },
  { name: "version", command: [binary, "version"], target: 1.15 },
  {
    name: "sign-string, EC P-256 PEM",
    command: [binary, "sign-string", "--private-key", keyPath],
    target: 1.25,
  },
  {
    name: "sign-string, RSA-2048 PEM",
    command: [binary, "sign-string", "--private-key", rsaKey],
  },
  {
    name: "sign-string, EC P-256 TPM handle",
    command: [binary, "sign-string", "--private-key", HANDLE, "--no-tpm-key-password"],
    target: 1.9,
  },
  {
    name: "the same with password",
    // deno-fmt-ignore
    command: [
      binary, "sign-string", "--private-key", HANDLE_WITH_PASSWORD, "--tpm-key-password", PASSWORD,
    ],
  },
  {
    name: "sign-string, EC P-256 SoftHSM",
    command: [binary, "sign-string", ...token.flags],
    env: token.env,
    target: 1.6,
  },
  {
    name: "credential-process over HTTPS",
    command: [binary, "credential-process", ...flags],
    target: 2.3,
  },
  {
    name: "the same, kept by --cache",
    command: [
      ...[binary, "credential-process", ...flags],
      ...["--cache", "--cache-dir", resolve(directory, "cache")],
    ],
    target: 1.35,
  },
  {
    name: "the same, 100 ms of latency",
    command: [binary, "credential-process", ...slowService.flags],
  },
  ...pkcs12,
  ...listing.subjects,
];

const times = subjects.map((): number[] => []);
for (let run = -WARM_UPS; run < RUNS; run++) {
  for (const [i, subject] of subjects.entries()) {
    if (run >= (subject.runs ?? RUNS)) continue;
    // The second of two counts: what ran before it, with its own caches, is then always the same.
    await timeRun(subject.command, { ...environment, ...subject.env });
    const elapsed = await timeRun(subject.command, { ...environment, ...subject.env });
    if (run >= 0) times[i]?.push(elapsed);
  }
}

let missed = 0;
const verdict = (ok: boolean, target: string) => {
  if (!ok) missed += 1;
  return `${ok ? "reached" : "MISSED"} (${target})`;
};
const medianOf = (name?: string) =>
  median(times[Math.max(0, subjects.findIndex((subject) => subject.name === name))] ?? []);
console.log(`medians of ${RUNS} runs, taken in turn`);
for (const [i, subject] of subjects.entries()) {
  const { name, target, against } = subject;
  const milliseconds = median(times[i] ?? []);
  const ratio = milliseconds / medianOf(against);
  const memory = await peakMemory(subject);
  console.log(
    [
      name.padEnd(32),
      `${milliseconds.toFixed(1).padStart(6)} ms`,
      `${ratio.toFixed(2).padStart(5)} x`,
      `${memory.toFixed(0).padStart(4)} MB`,
      target === undefined ? "" : verdict(ratio <= target, `to reach: ${target}`),
    ].join("  ").trimEnd(),
  );
}
const [helloSize, size] = [(await Deno.stat(helloWorld)).size, (await Deno.stat(binary)).size];
console.log(
  `size: ${(size / 1e6).toFixed(2)} MB, hello world ${(helloSize / 1e6).toFixed(2)} MB: ${
    verdict(size <= helloSize + SIZE_MARGIN, "to reach: hello world + 3 MB")
  }`,
);
Deno.exitCode = missed > 0 ? 1 : 0;
