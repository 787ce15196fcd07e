/**
 * Users of this machine, made for a test, and programs that run as them. Needs root.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { type Result, type RunOptions, runProgram } from "./binary.ts";

/** A user of the system. */
export interface SystemUser {
  readonly name: string;
  readonly id: number;
}

/** The users; they are removed on disposal. */
export class SystemUsers implements AsyncDisposable {
  private constructor(
    readonly alice: SystemUser,
    readonly bob: SystemUser,
    readonly others: readonly SystemUser[],
  ) {}

  /** Makes two, and these others, with names that no other test has. */
  static async create(...others: readonly string[]): Promise<SystemUsers> {
    const suffix = randomBytes(4).toString("hex");
    const made: SystemUser[] = [];
    try {
      for (const first of ["alice", "bob", ...others]) {
        made.push(await addUser(`t-${first}-${suffix}`));
      }
    } catch (thrown) {
      for (const user of made) await removeUser(user);
      throw thrown;
    }
    const [alice, bob, ...rest] = made;
    if (!alice || !bob) throw new Error("no users");
    return new SystemUsers(alice, bob, rest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const user of [this.alice, this.bob, ...this.others]) await removeUser(user);
  }
}

/** Runs a program as a user. */
export async function runAs(
  { id }: SystemUser,
  command: readonly string[],
  options: RunOptions = {},
): Promise<Result> {
  return await runProgram("setpriv", [
    ...[`--reuid=${id}`, `--regid=${id}`, "--clear-groups", ...command],
  ], { cwd: "/", ...options });
}

async function addUser(name: string): Promise<SystemUser> {
  await check("useradd", ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]);
  return { name, id: Number(await check("id", ["-u", name])) };
}

async function removeUser({ name }: SystemUser): Promise<void> {
  await check("userdel", [name]);
}

async function check(program: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, args, {
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
  });
  if (code !== 0) throw new Error(`${program}: ${stderr}`);
  return stdout;
}
