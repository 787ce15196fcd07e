/**
 * Traces of a test run: processes, temporary files, mounts and system files that remain after it.
 *
 * Only the run's own traces count, because other people may work on the machine. These are
 * processes that descend from this one, and files of the run's own temporary folder. Mounts below
 * that folder or the checkout count too, and names with this program's name in them.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

import { Folder } from "./temporary_directory.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** `prctl(PR_SET_CHILD_SUBREAPER)`: a process whose parent ended becomes a child of this one. */
const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;

const REAP_INTERVAL = 500;

/** Lists of names in which those of this program are looked for. */
const NAME_LISTS = ["/etc/passwd", "/etc/group"];
const NAME_FOLDERS = ["/etc", "/etc/systemd/system", "/run/netns", "/var/lib", "/usr/local/bin"];
const OURS = /aws.?signing.?helper/i;

/** A process that remains after a run. */
export interface Leftover {
  readonly pid: number;
  readonly command: string;
}

/** The processes that descend from this one. */
export class Descendants implements Disposable {
  readonly #libc: ReturnType<typeof openLibc>;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Children that Deno itself waits for. */
  readonly #own = new Set<number>();

  constructor() {
    this.#libc = openLibc();
    this.#libc?.symbols.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n);
    this.#timer = setInterval(() => this.#reap(), REAP_INTERVAL);
    Deno.unrefTimer(this.#timer);
  }

  /** Excludes a child from reaping: Deno waits for it. */
  started(pid: number): void {
    this.#own.add(pid);
  }

  /**
   * Waits until no descendant is left, and ends those that stay.
   * Returns these; a run that leaves some has failed.
   */
  async end(grace: number): Promise<readonly Leftover[]> {
    const until = performance.now() + grace;
    let left = this.#left();
    while (left.length > 0 && performance.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      left = this.#left();
    }
    const ended = [...left];
    while (left.length > 0) {
      for (const { pid } of left) kill(pid);
      await new Promise((resolve) => setTimeout(resolve, 50));
      left = this.#left();
    }
    return ended;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#libc?.symbols.prctl(PR_SET_CHILD_SUBREAPER, 0n, 0n, 0n, 0n);
    this.#libc?.close();
  }

  /** Collects the exit codes of adopted children, so that no zombies stay. */
  #reap(): void {
    for (const pid of children()) {
      if (!this.#own.has(pid)) this.#libc?.symbols.waitpid(pid, null, WNOHANG);
    }
  }

  #left(): Leftover[] {
    this.#reap();
    return children().filter((pid) => isRunning(pid))
      .map((pid) => ({ pid, command: commandOf(pid) }));
  }
}

function openLibc() {
  if (Deno.build.os !== "linux") return undefined;
  return Deno.dlopen("libc.so.6", {
    prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
    waitpid: { parameters: ["i32", "pointer", "i32"], result: "i32" },
  });
}

/** Returns the children of this process, those of all its threads. */
function children(): number[] {
  try {
    return [...Deno.readDirSync("/proc/self/task")].flatMap(({ name }) =>
      readOr(`/proc/self/task/${name}/children`, "").trim().split(" ").filter((pid) => pid !== "")
        .map(Number)
    );
  } catch {
    return []; // not Linux
  }
}

function isRunning(pid: number): boolean {
  const stat = readOr(`/proc/${pid}/stat`, "");
  return stat !== "" && !/\) [ZX]/.test(stat);
}

function commandOf(pid: number): string {
  return readOr(`/proc/${pid}/cmdline`, "").replaceAll("\0", " ").trim().slice(0, 200);
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // it has ended
  }
}

/** The run's temporary folder, in which its home is. */
export class RunFolder extends Folder implements Disposable {
  readonly #namesBefore = ourNames();

  /** Makes the folder. Its name is short because a path of a Unix socket has at most 107 bytes. */
  constructor() {
    super(makeShortFolder(Deno.realPathSync(Deno.env.get("TMPDIR") ?? "/tmp")));
    Deno.chmodSync(this.path, 0o755); // other users reach what is below it
    Deno.mkdirSync(this.join("home"), { mode: 0o700 });
  }

  /** Returns the traces of the run, one line each. */
  traces(): string[] {
    const files = [...Deno.readDirSync(this.path)].map(({ name }) => name)
      .filter((name) => name !== "home").map((name) => this.join(name));
    const mounts = readOr("/proc/self/mountinfo", "").split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter((path) => path.startsWith(`${this.path}/`) || path.startsWith(PROJECT))
      .map((path) => `mount ${path}`);
    const names = ourNames().filter((name) => !this.#namesBefore.includes(name));
    return [...files, ...mounts, ...names];
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Makes a folder that is new. Deno.makeTempDir() adds 16 characters, with which Chromium does not start. */
function makeShortFolder(parent: string): string {
  for (;;) {
    const path = `${parent}/ash-${crypto.randomUUID().slice(0, 4)}`;
    try {
      Deno.mkdirSync(path, { mode: 0o700 });
      return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

/** Returns users, groups, network namespaces and system files with this program's name. */
function ourNames(): string[] {
  const lines = NAME_LISTS.flatMap((path) =>
    readOr(path, "").split("\n").filter((line) => OURS.test(line)).map((line) =>
      `${line} in ${path}`
    )
  );
  const files = NAME_FOLDERS.flatMap((folder) => {
    try {
      return [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`);
    } catch {
      return [];
    }
  }).filter((path) => OURS.test(path));
  // The home of a user that has none, which root's programs could make.
  const home = readable("/nonexistent") ? ["/nonexistent"] : [];
  return [...lines, ...files, ...home];
}

function readable(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function readOr(path: string, otherwise: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return otherwise;
  }
}
