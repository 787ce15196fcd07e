import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";

import { baseStatus, compareBase, OVERRIDE, sha256OfBase } from "../../packaging/base/compare.ts";
import { earlyVariables, withoutEarlyVariables } from "../../packaging/base/environment.ts";
import { PINNED_BASES, PINNED_DENO } from "../../packaging/pin.ts";
import { TARGETS } from "../../packaging/targets.ts";

const TARGET = "x86_64-unknown-linux-gnu";
const bytes = (text: string) => new TextEncoder().encode(text);

/** Returns an ELF program without sections, with the names of all early variables. */
function makeBase(text: string): Uint8Array<ArrayBuffer> {
  const header = Buffer.alloc(64);
  header.write("7f454c46", "hex");
  // Between letters as Rust's names, and between NULs as C's.
  const names = earlyVariables(TARGET).map((name) => `x${name}x\0${name}\0`).join(" ");
  const contents = Buffer.from(`${text} ${names} ${names}`, "latin1");
  // The section headers, of which there are none, are at the end.
  header.writeBigUInt64LE(BigInt(64 + contents.length), 0x28);
  return new Uint8Array(Buffer.concat([header, contents]));
}

/** Appends payloads, as `deno compile` does. */
function compiled(base: Uint8Array, ...payloads: readonly string[]): Uint8Array {
  const appended = payloads.map((payload) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(8 + payload.length + 8));
    return Buffer.concat([bytes(`d3n0l4nd${payload}`), length]);
  });
  return Buffer.concat([base, ...appended]);
}

const BASE = makeBase("the base binary");
const PINS = { deno: "1.2.3", bases: { [TARGET]: { sha256: await sha256OfBase(BASE) } } };
const build = (base: Uint8Array) => compiled(withoutEarlyVariables(base, TARGET), "bundle");
const status = (program: Uint8Array, override = false, deno = PINS.deno) =>
  baseStatus(program, TARGET, { deno, override }, PINS);

Deno.test("compareBase() accepts the pinned base binary without the early variables", async () => {
  await compareBase(build(BASE), TARGET, PINS);
  assertEquals(await status(build(BASE)), "its SHA-256 is the pinned one");
  assertEquals(await status(build(BASE), true), "its SHA-256 is the pinned one");
});

Deno.test("compareBase() rejects a base binary that differs in one byte, with both hashes", async () => {
  for (const at of [64, BASE.length - 1]) {
    const changed = BASE.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    // The last byte is part of a name, which the build would miss.
    const program = at === 64 ? build(changed) : compiled(changed, "bundle");
    await assertRejects(() => compareBase(program, TARGET, PINS), Error, "base binary for");
  }
  const other = build(makeBase("tampered with!!"));
  const { message } = await assertRejects(() => compareBase(other, TARGET, PINS), Error);
  assertStringIncludes(message, `instead of ${PINS.bases[TARGET]?.sha256}`);
  assertStringIncludes(message, await sha256OfBase(makeBase("tampered with!!")));
});

Deno.test("compareBase() rejects a program whose base binary still has the early variables", async () => {
  await assertRejects(
    () => compareBase(compiled(BASE, "bundle"), TARGET, PINS),
    Error,
    "a variable's name is still in it",
  );
});

Deno.test("compareBase() rejects a target without a hash", async () => {
  const pins = { ...PINS, bases: {} };
  await assertRejects(() => compareBase(build(BASE), TARGET, pins), Error, "a pinned one");
});

Deno.test(`baseStatus() allows another base binary with ${OVERRIDE}=1, and reports it`, async () => {
  const other = build(makeBase("of another version"));
  await assertRejects(() => status(other), Error, `${OVERRIDE}=1`);
  assertMatch(await status(other, true), /is NOT the pinned one, which UNPINNED_BASE=1 allows$/);
});

Deno.test("baseStatus() has no hash for another version of Deno, and reports it", async () => {
  const other = build(makeBase("of another version"));
  assertMatch(await status(other, false, "1.2.4"), /^NOT compared, .* for Deno 1\.2\.4$/);
});

Deno.test("baseStatus() rejects a second payload, whatever is allowed", async () => {
  const base = compiled(withoutEarlyVariables(BASE, TARGET), "another program");
  const program = compiled(base, "bundle");
  for (
    const [override, deno] of [[false, PINS.deno], [true, PINS.deno], [false, "1.2.4"]] as const
  ) {
    await assertRejects(() => status(program, override, deno), Error, "more than one payload");
  }
});

Deno.test("every target has a pinned base binary, and only pin.json names the version of Deno", async () => {
  for (const { deno } of TARGETS) assertMatch(PINNED_BASES[deno]?.sha256 ?? "", /^[0-9a-f]{64}$/);
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const { stdout } = await new Deno.Command("grep", {
    args: ["-rlF", "--exclude-dir=build", "--exclude-dir=.git", "--", PINNED_DENO, "."],
    cwd: root,
  }).output();
  assertEquals(new TextDecoder().decode(stdout).trim(), "./packaging/toolchain/pin.json");
});
