import { assertEquals, assertMatch } from "@std/assert";
import { BINARY, runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Address space that src/runtime/README.md names, KiB. */
const MIN_ADDRESS_SPACE = 64 * 2 ** 20;

testWith(["linux", "binary"], "the documented address space is enough", async () => {
  const limited = ["sh", "-c", `ulimit -v ${MIN_ADDRESS_SPACE} && exec "$0" "$@"`];
  await using scenario = await SessionScenario.create();
  const [command = "", ...rest] = [...limited, BINARY, "credential-process", ...scenario.flags];
  const { code, stdout } = await runProgram(command, rest);
  assertEquals([code, JSON.parse(stdout).Version], [0, 1]);
  await using run = new RunningBinary(["serve", "--port=0", ...scenario.flags], {}, limited);
  await run.waitForLine(/^export AWS_EC2_METADATA_SERVICE_ENDPOINT=/);
  run.kill("SIGTERM");
  assertEquals((await run.end()).code, 0);
});

/** Conditions in which the runtime ends before our first line, as documented in commands.md. */
const ENDINGS: Readonly<Record<string, readonly [script: string, code: number, said: RegExp]>> = {
  "too little address space": ['ulimit -v 16777216; exec "$0" version', 133, /out of memory/],
  "too few open files": ['ulimit -n 8; exec "$0" version', 101, /Too many open files/],
  "a deleted working directory": [
    'd=$(mktemp -d) && cd "$d" && rmdir "$d" && exec "$0" version',
    1,
    /error.*: No such file or directory \(os error 2\)/,
  ],
  "an argument that is not UTF-8": [
    'exec "$0" version "$(printf \'a\\377\')"',
    101,
    /panicked at .*"a\\xFF"/s,
  ],
  "NODE_OPTIONS that is not UTF-8": [
    'NODE_OPTIONS="$(printf \'a\\377\')" exec "$0" version',
    101,
    /panicked at .*"a\\xFF"/s,
  ],
};

for (const [what, [script, code, said]] of Object.entries(ENDINGS)) {
  testWith(["linux", "binary"], `the runtime itself ends the program: ${what}`, async () => {
    using directory = new TemporaryDirectory();
    const { code: actual, stderr, stdout } = await runProgram("sh", ["-c", script, BINARY], {
      env: { TMPDIR: directory.path },
    });
    assertEquals([actual, stdout], [code, ""]);
    assertMatch(stderr, said);
  });
}

testWith(
  ["linux", "binary", "mount-namespace"],
  "the runtime itself ends the program: no /proc",
  async () => {
    const { code, stderr } = await runProgram("unshare", [
      ...["--map-root-user", "--mount", "sh", "-c"],
      ...['mount -t tmpfs tmpfs /proc && exec "$0" version', BINARY],
    ]);
    assertEquals(code, 1);
    assertMatch(stderr, /Is \/proc mounted\?/);
  },
);

Deno.test("no systemd unit limits the address space", async () => {
  const folder = new URL("../../packaging/systemd/", import.meta.url);
  for await (const { name } of Deno.readDir(folder)) {
    const text = await Deno.readTextFile(new URL(name, folder));
    assertEquals(/^\s*(LimitAS|LimitNOFILE|LimitDATA)\s*=/m.test(text), false, name);
  }
});

testWith(["linux", "binary"], "a full disk of standard output is named", async () => {
  const { code, stderr } = await runProgram("sh", [
    "-c",
    'exec "$0" version > /dev/full',
    BINARY,
  ]);
  assertEquals({ code, stderr }, {
    code: 1,
    stderr: "aws_signing_helper: the output cannot be written: the disk is full; free some space\n",
  });
});
