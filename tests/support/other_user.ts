import { BINARY, type Result, type RunOptions, runProgram } from "./binary.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

/** `nobody`, the user that programs run as. */
const UID = 65534;

/**
 * Another user than root, with a copy of the binary in a folder that this user can read. The
 * checkout and the build may not be readable for others. Tests that use it need `other-user`.
 */
export class OtherUser implements Disposable {
  readonly #directory = new TemporaryDirectory();
  /** The copy of the binary. */
  readonly binary: string;

  constructor() {
    this.binary = this.#directory.join("aws_signing_helper");
    Deno.copyFileSync(BINARY, this.binary);
    Deno.chmodSync(this.binary, 0o755);
    Deno.chmodSync(this.#directory.path, 0o755);
  }

  /** Runs the binary as this user. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    const [command = "", ...rest] = commandAsOther([this.binary, ...args]);
    return await runProgram(command, rest, options);
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

/** Makes the other user the owner of a folder and everything in it. */
export async function giveToOther(path: string): Promise<void> {
  const { code, stderr } = await runProgram("chown", ["-R", `${UID}:${UID}`, path]);
  if (code !== 0) throw new Error(stderr);
}

/** Returns the command that runs a program as another user. */
export function commandAsOther(command: readonly string[], uid = UID): string[] {
  return ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", ...command];
}
