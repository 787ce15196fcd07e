import { assertEquals, assertNotEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

testWith(
  ["program:make"],
  "the build follows the contents of sources, not only their times",
  async () => {
    using directory = new TemporaryDirectory();
    Deno.copyFileSync(`${ROOT}Makefile`, directory.join("Makefile"));
    for (const folder of ["src", "plugins", "packaging"]) Deno.mkdirSync(directory.join(folder));
    for (const name of ["deno.json", "deno.lock", "src/a.ts"]) directory.write(name, "old");
    const sum = async () => {
      const { code } = await new Deno.Command("make", {
        args: ["-C", directory.path, "--silent", "build/sources.sum"],
        stdout: "null",
      }).output();
      assertEquals(code, 0);
      return Deno.statSync(directory.join("build/sources.sum")).mtime?.getTime();
    };
    const source = directory.join("src/a.ts");
    const first = await sum();
    Deno.utimeSync(source, 1, 1);
    assertEquals(await sum(), first);
    Deno.writeTextFileSync(source, "new");
    Deno.utimeSync(source, 1, 1); // as unpacked from an archive
    const second = await sum();
    assertNotEquals(second, first);
    Deno.removeSync(source);
    assertNotEquals(await sum(), second);
  },
);

testWith(
  ["program:sh"],
  "the toolchain's Deno is not linked to itself if it is on PATH",
  async () => {
    using directory = new TemporaryDirectory();
    const version = Deno.version.deno;
    Deno.mkdirSync(directory.join(`${version}/package`), { recursive: true });
    // Not a link: the script sets the file's time, and make would build again what other tests run.
    const deno = directory.write(
      `${version}/package/deno`,
      `#!/bin/sh\nexec "${Deno.execPath()}" "$@"\n`,
    );
    Deno.chmodSync(deno, 0o755);
    Deno.symlinkSync(`${version}/package/deno`, directory.join("deno"));
    const before = Deno.statSync(Deno.execPath()).mtime;
    const { code } = await new Deno.Command("sh", {
      args: [`${ROOT}packaging/install_deno.sh`, version, directory.path],
      env: { PATH: `${directory.path}:${Deno.env.get("PATH")}` },
      stdout: "null",
    }).output();
    assertEquals(code, 0);
    const { stdout } = await new Deno.Command(directory.join("deno"), { args: ["--version"] })
      .output();
    assertEquals(new TextDecoder().decode(stdout).startsWith(`deno ${version}`), true);
    assertEquals(Deno.statSync(Deno.execPath()).mtime, before);
  },
);
