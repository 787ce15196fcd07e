/**
 * Searches for a private key where other programs can see it.
 *
 * @module
 */
import { decodeBase64, encodeBase64 } from "@std/encoding/base64";
import { runProgram } from "./binary.ts";
import type { CertificateFiles } from "./certificates.ts";
import { SecretWindows } from "./secret_windows.ts";

/** Interval between two searches of running programs, milliseconds. */
const INTERVAL = 100;

/** Characters of base64 at the start of PKCS#8 that all P-256 keys have. */
const COMMON = 48;
/** The same in base64 of the PEM file, with its first line; and its last line. */
const COMMON_TWICE = { start: 104, end: 40 } as const;

/** Returns the pieces of a P-256 key in PEM: of its base64, its bytes, and base64 of the file. */
export function keySecrets({ keyPem, certificatePem }: CertificateFiles): SecretWindows {
  const bodyOf = (pem: string) => pem.replace(/-----[^-]*-----|\s/g, "");
  const base64 = bodyOf(keyPem);
  const twice = encodeBase64(keyPem).slice(COMMON_TWICE.start, -COMMON_TWICE.end);
  return new SecretWindows()
    .addText("the key's base64", base64.slice(COMMON))
    .addBytes("the key", decodeBase64(base64).slice(COMMON * 3 / 4))
    .addText("the base64 of the key's PEM", twice)
    .except(bodyOf(certificatePem));
}

/**
 * Search of arguments and environments while a program runs. The environment counts at its last
 * search, because the program must first read it.
 */
export class ExposureWatch implements AsyncDisposable {
  readonly #leaks: string[] = [];
  readonly #environments = new Map<number, string | undefined>();
  #stopped = false;
  readonly #ended: Promise<void>;

  /** @param program the path of the executable file */
  constructor(private readonly program: string, private readonly secrets: SecretWindows) {
    this.#ended = this.#watch();
  }

  /** Throws if the key was found, or if the program never ran. */
  async check(): Promise<void> {
    await this[Symbol.asyncDispose]();
    const environments = [...this.#environments.values()].filter((leak) => leak !== undefined);
    const leaks = [...this.#leaks, ...environments];
    if (leaks.length > 0) throw new Error(leaks.join("; "));
  }

  /** Number of processes that were searched. */
  get processes(): number {
    return this.#environments.size;
  }

  /** Throws if a file below a folder has the key. */
  checkFiles(folder: string): void {
    for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) this.checkFiles(path);
      if (!isFile) continue;
      const leak = this.secrets.findIn(
        new TextDecoder("latin1").decode(Deno.readFileSync(path)),
      );
      if (leak !== undefined) throw new Error(`${path} has ${leak}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      const pids = processesOf(this.program);
      if (pids.length > 0) {
        const leak = await findInProcessList(this.secrets);
        if (leak !== undefined) this.#leaks.push(leak);
      }
      for (const pid of pids) {
        const found = findInEnvironment(pid, this.secrets);
        if (found !== "ended") this.#environments.set(pid, found);
      }
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
  }
}

async function findInProcessList(secrets: SecretWindows): Promise<string | undefined> {
  const { code, stdout, stderr } = await runProgram("ps", ["axww", "-o", "args"]);
  if (code !== 0 || !stdout.includes("ps axww")) throw new Error(`ps: ${stderr}`);
  const leak = secrets.findIn(stdout);
  return leak === undefined ? undefined : `the process list has ${leak}`;
}

/**
 * Searches the environment of a process. The kernel shows that of a process without core dumps only
 * to root; it then counts as having none.
 */
function findInEnvironment(pid: number, secrets: SecretWindows): string | "ended" | undefined {
  try {
    const bytes = Deno.readFileSync(`/proc/${pid}/environ`);
    const leak = secrets.findIn(new TextDecoder("latin1").decode(bytes));
    return leak === undefined ? undefined : `the environment of process ${pid} has ${leak}`;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return "ended";
    if (Deno.uid() !== 0 && thrown instanceof Deno.errors.PermissionDenied) return undefined;
    // It ended between opening and reading.
    if (thrown instanceof Error && /No such process/.test(thrown.message)) return "ended";
    throw thrown;
  }
}

function processesOf(program: string): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) =>
    pid > 0 && programOf(pid) === program
  );
}

/** Returns the program of a process; by its first argument if only root may see its file. */
function programOf(pid: number): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/${pid}/exe`);
  } catch {
    // a process without core dumps
  }
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0")[0];
  } catch {
    return undefined; // it ended
  }
}
