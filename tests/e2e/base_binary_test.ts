/**
 * Builds with other base binaries than the pinned one: real ones of 100 MB, in the way of `make`.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { OVERRIDE } from "../../packaging/base/compare.ts";
import { compile, prepareBase } from "../../packaging/build.ts";
import { checkBinary } from "../../packaging/dist/check_binary.ts";
import { PINNED_DENO } from "../../packaging/pin.ts";
import { TARGETS } from "../../packaging/targets.ts";
import { testWith } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const TARGET = Deno.build.target;
const PROGRAM = new TextEncoder().encode("Deno.stdout.writeSync(new Uint8Array([111, 107]));");

/** The base binary, in which no name is changed. */
const DENORT = new URL(`../../build/toolchain/denort-${TARGET}`, import.meta.url);

/** Returns a compiled program, which is the base binary with a payload. */
async function compileProgram(): Promise<Buffer> {
  using directory = new TemporaryDirectory();
  const script = directory.write("main.js", PROGRAM);
  const output = directory.join("program");
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["compile", "--quiet", "--no-config", "--no-lock", "--output", output, script],
    env: { DENORT_BIN: fileURLToPath(DENORT) },
  }).output();
  assertEquals(success, true);
  return Buffer.from(await Deno.readFile(output));
}

/** A build with DENORT_BIN, as `make` does it. */
class Build implements Disposable {
  readonly #directory = new TemporaryDirectory();
  readonly output = this.#directory.join("bin/program");

  /** Returns the end of the build's last line. */
  async run(change: (base: Buffer) => Buffer): Promise<string> {
    const given = this.#directory.join("denort");
    const own = await Deno.readFile(DENORT);
    Deno.writeFileSync(given, change(Buffer.from(own)), { mode: 0o755 });
    Deno.mkdirSync(this.#directory.join("bundle"), { recursive: true });
    Deno.writeFileSync(this.#directory.join("bundle/main.js"), PROGRAM);
    const base = await prepareBase(TARGET, {
      given,
      folder: this.#directory.path,
    });
    return await compile(this.#directory.join("bundle"), "main.js", this.output, TARGET, base.path);
  }

  /** Sets {@link OVERRIDE} during a build. */
  async runAllowed(change: (base: Buffer) => Buffer): Promise<string> {
    Deno.env.set(OVERRIDE, "1");
    try {
      return await this.run(change);
    } finally {
      Deno.env.delete(OVERRIDE);
    }
  }

  /** Throws if the release would not have this binary. */
  async checkForRelease(): Promise<void> {
    const target = TARGETS.find(({ deno }) => deno === TARGET);
    if (!target) throw new Error(`no release for ${TARGET}`);
    await checkBinary("program", await Deno.readFile(this.output), PROGRAM, target);
  }

  hasOutput(): boolean {
    try {
      return Deno.statSync(this.output).isFile;
    } catch {
      return false;
    }
  }

  [Symbol.dispose]() {
    this.#directory[Symbol.dispose]();
  }
}

/** Changes a byte of the runtime's code. */
function tamper(base: Buffer): Buffer {
  const at = Math.floor(base.length / 2);
  base[at] = (base[at] ?? 0) ^ 1;
  return base;
}

/** Changes the version in all places. */
function changeVersion(base: Buffer): Buffer {
  const [version, other] = [PINNED_DENO, PINNED_DENO.replace(/\d$/, "9")];
  for (let at = -1; (at = base.indexOf(version, at + 1, "latin1")) >= 0;) {
    base.write(other, at, "latin1");
  }
  return base;
}

testWith(
  ["binary"],
  "a build with the pinned base binary can be released, whatever file it came from",
  async () => {
    using build = new Build();
    assertEquals(await build.run((base) => base), "its SHA-256 is the pinned one");
    await build.checkForRelease();
    const { stdout } = await new Deno.Command(build.output).output();
    assertEquals(new TextDecoder().decode(stdout), "ok");
  },
);

for (const [name, change] of Object.entries({ tamper, changeVersion })) {
  testWith(
    ["binary"],
    `a build with another base binary fails and leaves no output: ${name}`,
    async () => {
      using build = new Build();
      const { message } = await assertRejects(() => build.run(change), Error);
      assertStringIncludes(message, `base binary for ${TARGET}: its SHA-256 is `);
      assertStringIncludes(message, `set ${OVERRIDE}=1 if you trust this one`);
      assertEquals(build.hasOutput(), false);

      assertStringIncludes(
        await build.runAllowed(change),
        `NOT the pinned one, which ${OVERRIDE}=1`,
      );
      assertEquals(build.hasOutput(), true);
      // The release does not follow the variable.
      Deno.env.set(OVERRIDE, "1");
      try {
        await assertRejects(() => build.checkForRelease(), Error, "program: base binary for");
      } finally {
        Deno.env.delete(OVERRIDE);
      }
    },
  );
}

testWith(
  ["binary"],
  "a build with a base binary that has a payload fails, whatever is set",
  async () => {
    using build = new Build();
    const program = await compileProgram();
    await assertRejects(() => build.runAllowed(() => program), Error, "more than one payload");
    assertEquals(build.hasOutput(), false);
  },
);
