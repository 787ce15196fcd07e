/**
 * A part of make demo and make test under conditions that our CI does not have. The machine has no
 * CAP_SYS_ADMIN and no namespaces, as in a container. The checkout is below a closed /root, and its
 * path has a blank and an umlaut. The umask shuts others out, and variables that could disturb are
 * set. `make fresh` runs all of both commands.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";

import { runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { ROOT } from "../support/release.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { HOSTILE } from "./hostile.ts";

const ENTER = fileURLToPath(new URL("enter.sh", import.meta.url));
const CHECKOUT = "/root/mit Leerzeichen/Prüfstand";

/** Tests that run other users, mount, read the checkout's path, or run make. */
const TESTS = [
  ...["tests/cli", "tests/emulator", "tests/credentials", "tests/packaging"],
  ...["tests/e2e/update_failures_test.ts", "tests/e2e/make_test.ts", "tests/e2e/help_test.ts"],
];

testWith(
  ["root", "proc-mount", "mount-namespace"],
  "make demo and tests pass in a container, below /root, in a path with blank and umlaut",
  async (t) => {
    using directory = new TemporaryDirectory();
    const home = directory.join("home");
    for (const name of ["root", "home", "tmp"]) Deno.mkdirSync(directory.join(name));
    Deno.chmodSync(directory.join("tmp"), 0o1777);
    const checkout = `${home}${CHECKOUT.slice("/root".length)}`;
    await copyCheckout(checkout);
    const inside = (command: string) =>
      runProgram("sh", [ENTER, "/", "sh", "-c", `umask 077; cd "$CHECKOUT" && ${command}`], {
        env: {
          ...HOSTILE,
          CHECKOUT,
          MODE: "chroot",
          DROP: "-sys_admin",
          AT: directory.join("root"),
          HOME_FOLDER: home,
          TMP_FOLDER: directory.join("tmp"),
          HOME: "/root",
          TMPDIR: "/tmp",
        },
      });
    await t.step("make demo builds and prints one line", async () => {
      // The build downloads; the variables must not keep it from that.
      const built = await inside(
        `unset ${Object.keys(HOSTILE).join(" ")}; make build`,
      );
      assertEquals(built.code, 0, built.stderr);
      const { code, stdout, stderr } = await inside("make demo");
      assertEquals(code, 0, stderr);
      assertMatch(stdout, /^\{"Version":1,[^\n]*\}\n$/);
    });
    await t.step("the tests pass or state a need", async () => {
      const deno = "DENO_DIR=$PWD/build/deno build/toolchain/deno";
      const { code, stdout } = await inside(
        `${deno} run --quiet --cached-only -A tests/run.ts one "" ${TESTS.join(" ")}`,
      );
      const lines = stdout.trimEnd().split("\n");
      const summary = lines.slice(lines.findLastIndex((line) => line.startsWith("-- ")));
      assertEquals(code, 0, summary.join("\n"));
      // Checks the conditions.
      assertMatch(stdout, /^skipped: \d+ tests?: mount-namespace: .*not permitted/m);
    });
    assertEquals([...Deno.readDirSync(directory.join("tmp"))], []);
  },
);

/** Copies the sources, and of build/ what would be downloaded. */
async function copyCheckout(checkout: string): Promise<void> {
  Deno.mkdirSync(`${checkout}/build`, { recursive: true });
  const script = `tar -C "$1" --exclude=./build --exclude=./.git -cf - . | tar -C "$2" -xf -
    cp -a "$1/build/toolchain" "$1/build/deno" "$1/build/packages.stamp" "$2/build/"`;
  const { code, stderr } = await runProgram("sh", ["-ec", script, "sh", ROOT, checkout]);
  assertEquals(code, 0, stderr);
}
