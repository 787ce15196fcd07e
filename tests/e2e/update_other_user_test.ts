import { assertEquals, assertGreater, assertMatch } from "@std/assert";

import { BINARY, runBinary, runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { SwappingUser, USER } from "../support/swapping_user.ts";

/** Number of runs; `make fuzz` sets 2,000. */
const RUNS = Number(Deno.env.get("SWAP_RUNS") ?? 40);

for (const swaps of ["file", "directory"] as const) {
  testWith(
    ["linux", "other-user"],
    `update --once by root, ${RUNS} times, does not expose root's files to a user who swaps the ${swaps}`,
    async () => {
      await using scenario = await SessionScenario.create();
      await using user = await SwappingUser.start(swaps, scenario.directory);
      const outcomes: Record<string, number> = {};
      // Both outcomes show that the swaps overlapped the runs; a busy machine needs more runs for that.
      const overlapped = () => Object.keys(outcomes).length > 1;
      for (let run = 0; run < RUNS || (!overlapped() && run < 20 * RUNS); run++) {
        const { code, stderr } = await runBinary(["update", ...scenario.flags, "--once"], {
          env: { AWS_SHARED_CREDENTIALS_FILE: user.credentials },
        });
        assertMatch(String(code), /^[01]$/, stderr);
        outcomes[code] = (outcomes[code] ?? 0) + 1;
      }
      assertEquals(await user.stop(), "nothing of root's was read or changed");
      assertEquals(Object.keys(outcomes), ["0", "1"], JSON.stringify(outcomes));
    },
  );
}

testWith(
  ["linux", "other-user", "program:strace"],
  "update --once by root opens a user's file once, by the descriptor of its directory",
  async () => {
    await using scenario = await SessionScenario.create();
    const path = scenario.directory.write("home/.aws/credentials", "[o]\nregion = x\n");
    for (const part of ["home", "home/.aws", "home/.aws/credentials"]) {
      Deno.chownSync(scenario.directory.join(part), USER, USER);
    }
    const trace = scenario.directory.join("trace");
    const { code, stderr } = await runProgram("strace", [
      ...["-f", "-qq", "-e", "trace=file", "-o", trace],
      ...[BINARY, "update", ...scenario.flags, "--once"],
    ], { env: { AWS_SHARED_CREDENTIALS_FILE: path } });
    assertEquals([code, stderr], [0, ""]);
    const calls = Deno.readTextFileSync(trace).split("\n");
    const opens = calls.filter((call) => /\bopen(at)?\(.*credentials"/.test(call));
    assertEquals(opens.length, 1, opens.join("\n"));
    assertMatch(
      opens[0] ?? "",
      /"\/proc\/self\/fd\/\d+\/credentials", O_RDONLY\|O_NONBLOCK\|O_NOFOLLOW/,
    );
    // Only the first look at the user's directory is by its name. A thread waits for the file system by
    // a stat before it, and does not use the result.
    const byName = calls.filter((call) =>
      call.includes("/home/.aws/") && !call.includes("execve(")
    );
    assertEquals(byName.length, 1, byName.join("\n"));
    assertMatch(byName[0] ?? "", / statx\(AT_FDCWD, "[^"]*\/home\/\.aws\/credentials", /);
    assertGreater(calls.filter((call) => /rename.*"\/proc\/self\/fd\/\d+\//.test(call)).length, 0);
    const { uid, gid } = Deno.statSync(path);
    assertEquals([uid, gid], [USER, USER]);
  },
);

testWith(
  ["linux", "other-user"],
  "root's cache, container token and lock do not follow a user's link",
  async () => {
    await using scenario = await SessionScenario.create();
    const home = scenario.directory.join("home");
    const secrets = scenario.directory.join("root");
    for (const path of [home, secrets]) Deno.mkdirSync(path, { mode: 0o700 });
    Deno.chownSync(home, USER, USER);
    for (const name of ["cache", "token", ".aws"]) {
      Deno.symlinkSync(secrets, `${home}/${name}`);
      await new Deno.Command("chown", { args: ["-h", `${USER}:${USER}`, `${home}/${name}`] })
        .output();
    }
    const cached = await runBinary(
      ["credential-process", ...scenario.flags, "--cache", `--cache-dir=${home}/cache/sessions`],
    );
    assertEquals(cached.code, 0);
    assertMatch(
      cached.stderr,
      /^warning: the cache is not used: .*\/cache is a symbolic link of another user; /,
    );
    const token = await runBinary([
      ...["serve", ...scenario.flags, "--port=0", "--container-credentials"],
      `--container-token-file=${home}/token/token`,
    ]);
    assertEquals(token.code, 1);
    assertMatch(token.stderr, /token is a symbolic link of another user; run this as that user\n$/);
    const updated = await runBinary(["update", "--once", ...scenario.flags], {
      env: { HOME: home },
    });
    assertEquals(updated.code, 1);
    assertMatch(
      updated.stderr,
      /\.aws is a symbolic link of another user; run this as that user\n$/,
    );
    assertEquals([...Deno.readDirSync(secrets)], []);
  },
);
