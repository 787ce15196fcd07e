import { runProgram } from "../support/binary.ts";
import type { TemporaryDirectory } from "../support/temporary_directory.ts";
import { type Container, PASSWORD, type Subject } from "./container.ts";

/** A file as a program in another language reports it. */
interface Report {
  readonly name: string;
  readonly path: string;
  readonly password: string | null;
}

/**
 * Runs a program that writes containers of every subject. Its arguments: the folder, the password, and
 * name, key and certificate of each subject. It prints a line of JSON for each file.
 */
export async function makeWithProgram(
  command: string,
  args: readonly string[],
  directory: TemporaryDirectory,
  subjects: readonly Subject[],
): Promise<Container[]> {
  const folder = directory.join("containers");
  await Deno.mkdir(folder);
  const named = subjects.flatMap(({ name, keyPath, certificatePath }) => [
    ...[name, keyPath, certificatePath],
  ]);
  const { code, stdout, stderr } = await runProgram(command, [...args, folder, PASSWORD, ...named]);
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
  return stdout.trimEnd().split("\n").map((line) => {
    const { name, path, password }: Report = JSON.parse(line);
    const subject = subjects.find((subject) => name.startsWith(`${subject.name} `));
    if (!subject) throw new Error(`${name} is of no subject`);
    const { publicKeyPath } = subject;
    return { name, path, publicKeyPath, ...(password === null ? {} : { password }) };
  });
}
