import { assertEquals } from "@std/assert";
import { formatTriesLeft } from "../../../plugins/tpm/auth/lockout.ts";
import {
  Password,
  PasswordCache,
  type PasswordOptions,
} from "../../../plugins/tpm/auth/passwords.ts";
import { refusal } from "../../support/refusal.ts";
import { type ScriptedContext, scriptedContext } from "../../support/scripted_context.ts";

const givenBy = (password: string) =>
  scriptedContext({ secrets: { "tpm-key-password": password } });
const typing = (...answers: string[]) => scriptedContext({ answers });

const OPTIONS: PasswordOptions = {
  identity: "key 1",
  name: "the TPM key handle:0x81000001",
  flag: "tpm-key-password",
  noPassword: false,
  tryEmpty: false,
  maxBytes: 32,
};

const createPassword = (
  prompt: ScriptedContext,
  options: Partial<PasswordOptions> = {},
  cache = new PasswordCache(),
) => new Password({ ...OPTIONS, ...options }, prompt, cache);

const readText = async (password: Password) => new TextDecoder().decode(await password.current());
const TWO_LEFT = { triesLeft: 2, secondsPerTry: 600 };

const assertKeyLocked = (action: () => Promise<unknown>) => refusal(action, "key-locked");

Deno.test("current() returns the flag's password, and an empty one if noPassword is set", async () => {
  assertEquals(await readText(createPassword(givenBy("flag"))), "flag");
  assertEquals(
    await readText(createPassword(givenBy("ignored"), { noPassword: true })),
    "",
  );
});

Deno.test("current() prompts once for all attempts of one use", async () => {
  const prompt = typing("typed");
  const password = createPassword(prompt);
  assertEquals([await readText(password), await readText(password)], ["typed", "typed"]);
  assertEquals(prompt.questions, ["Password of the TPM key handle:0x81000001: "]);
});

Deno.test("an accepted typed password is not prompted for again in this process", async () => {
  const cache = new PasswordCache();
  const first = createPassword(typing("typed"), {}, cache);
  await first.current();
  first.accept();
  const later = typing();
  assertEquals(await readText(createPassword(later, {}, cache)), "typed");
  assertEquals(later.questions, []);
  const other = typing("another");
  assertEquals(await readText(createPassword(other, { identity: "key 2" }, cache)), "another");
});

Deno.test("a flag's password is read again each time, and not cached", async () => {
  const cache = new PasswordCache();
  const first = createPassword(givenBy("before"), {}, cache);
  await first.current();
  first.accept();
  assertEquals(await readText(createPassword(givenBy("after"), {}, cache)), "after");
});

Deno.test("a rejected password is never sent again, from a flag or a prompt", async () => {
  const cache = new PasswordCache();
  const first = createPassword(givenBy("wrong"), {}, cache);
  await first.current();
  await assertKeyLocked(() => first.reject(TWO_LEFT));
  const message = await assertKeyLocked(() =>
    createPassword(givenBy("wrong"), {}, cache).current()
  );
  assertEquals(message.endsWith("it was already rejected and is not sent again"), true);
  assertEquals(
    await readText(createPassword(givenBy("corrected"), {}, cache)),
    "corrected",
  );
  const retyping = typing("wrong", "right");
  assertEquals(await readText(createPassword(retyping, {}, cache)), "right");
});

Deno.test("a wrong password names the variable that set it", async () => {
  const prompt = scriptedContext({
    secrets: { "tpm-key-password": "w".repeat(40) },
    sources: { "tpm-key-password": { source: "TPM_CHILD_KEY_PASSWORD" } },
  });
  const tooLong = await assertKeyLocked(() => createPassword(prompt).current());
  assertEquals(tooLong.endsWith("; check TPM_CHILD_KEY_PASSWORD"), true, tooLong);
  const cache = new PasswordCache();
  const password = createPassword(prompt, { maxBytes: 64 }, cache);
  await password.current();
  const wrong = await assertKeyLocked(() => password.reject(TWO_LEFT));
  assertEquals(wrong.includes("; check TPM_CHILD_KEY_PASSWORD; 2 more"), true, wrong);
  const again = await assertKeyLocked(() =>
    createPassword(prompt, { maxBytes: 64 }, cache).current()
  );
  assertEquals(again.includes("; check TPM_CHILD_KEY_PASSWORD; it was already"), true, again);
});

Deno.test("a cached password that the TPM rejects is removed, and prompted for", async () => {
  const cache = new PasswordCache();
  const first = createPassword(typing("old"), {}, cache);
  await first.current();
  first.accept();
  const prompt = typing("new");
  const second = createPassword(prompt, {}, cache);
  assertEquals(await readText(second), "old");
  await second.reject(TWO_LEFT);
  assertEquals(await readText(second), "new");
  assertEquals(prompt.questions.length, 1);
});

Deno.test("reject() reports the tries left, and prompts three times in total", async () => {
  const prompt = typing("a", "b", "c", "d");
  const password = createPassword(prompt);
  await password.current();
  await password.reject(TWO_LEFT);
  await password.reject();
  await assertKeyLocked(() => password.reject());
  assertEquals(prompt.questions.length, 3);
  assertEquals(prompt.messages, [
    "wrong password; 2 more wrong passwords lock the TPM",
    "wrong password; this attempt does not count towards the lockout",
    "wrong password; this attempt does not count towards the lockout",
  ]);
});

Deno.test("reject() does not prompt if the TPM is locked", async () => {
  const prompt = typing("a", "b");
  const password = createPassword(prompt);
  await password.current();
  const message = await assertKeyLocked(() =>
    password.reject({ triesLeft: 0, secondsPerTry: 7200 })
  );
  assertEquals(prompt.questions.length, 1);
  assertEquals(message.includes("wait 2 hours for the next try"), true, message);
});

Deno.test("an empty password is tried once if tryEmpty is set, then prompted for", async () => {
  const cache = new PasswordCache();
  const prompt = typing("typed");
  const password = createPassword(prompt, { tryEmpty: true }, cache);
  assertEquals([await readText(password), password.isGuess], ["", true]);
  await password.reject();
  assertEquals([await readText(password), password.isGuess], ["typed", false]);
  const later = createPassword(
    typing("other"),
    { tryEmpty: true },
    cache,
  );
  assertEquals(await readText(later), "other");
});

Deno.test("current() throws key-locked for a too long password, and without a terminal", async () => {
  const message = await assertKeyLocked(() => createPassword(givenBy("ä".repeat(17))).current());
  assertEquals(message.includes("longer than the maximum of 32 bytes"), true);
  assertEquals(await readText(createPassword(givenBy("ä".repeat(16)))), "ä".repeat(16));
  const unprompted = await assertKeyLocked(() => createPassword(typing()).current());
  assertEquals(unprompted.includes("--no-tpm-key-password if it has none"), true);
});

Deno.test("formatTriesLeft() counts down to the lockout", () => {
  const format = (triesLeft: number) => formatTriesLeft({ triesLeft, secondsPerTry: 60 });
  assertEquals(format(31), "31 more wrong passwords lock the TPM");
  assertEquals(format(1), "one more wrong password locks the TPM");
  assertEquals(format(0).startsWith("the TPM is locked now: wait 60 seconds"), true);
});
