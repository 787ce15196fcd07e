import { assertEquals, assertRejects } from "@std/assert";
import { triesWords } from "../../../plugins/tpm/auth/lockout.ts";
import {
  Password,
  PasswordMemory,
  type PasswordOptions,
} from "../../../plugins/tpm/auth/passwords.ts";
import { HelperError } from "../../../src/errors.ts";

/** What a person and the flags give, and what came of it. */
class Person {
  readonly questions: string[] = [];
  readonly said: string[] = [];

  constructor(readonly flag?: string, readonly answers: readonly string[] = []) {}

  secret = () => Promise.resolve(this.flag);
  prompt = (question: string) => {
    this.questions.push(question);
    return Promise.resolve(this.answers[this.questions.length - 1]);
  };
  info = (words: string) => void this.said.push(words);
}

const OPTIONS: PasswordOptions = {
  identity: "key 1",
  name: "the TPM key handle:0x81000001",
  flag: "tpm-key-password",
  none: false,
  guessEmpty: false,
  max: 32,
};

const passwordOf = (
  person: Person,
  options: Partial<PasswordOptions> = {},
  memory = new PasswordMemory(),
) => new Password({ ...OPTIONS, ...options }, person, memory);

const text = async (password: Password) => new TextDecoder().decode(await password.current());
const TWO_LEFT = { triesLeft: 2, secondsPerTry: 600 };

async function locked(action: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(action, HelperError);
  assertEquals(error.code, "key-locked");
  return error.message;
}

Deno.test("current() gives the flag's password, and an empty one for the flag that says none", async () => {
  assertEquals(await text(passwordOf(new Person("flag"))), "flag");
  assertEquals(await text(passwordOf(new Person("ignored"), { none: true })), "");
});

Deno.test("current() asks once for all tries of one use", async () => {
  const person = new Person(undefined, ["typed"]);
  const password = passwordOf(person);
  assertEquals([await text(password), await text(password)], ["typed", "typed"]);
  assertEquals(person.questions, ["Password of the TPM key handle:0x81000001: "]);
});

Deno.test("a password that was typed and taken is not asked for again in this process", async () => {
  const memory = new PasswordMemory();
  const first = passwordOf(new Person(undefined, ["typed"]), {}, memory);
  await first.current();
  first.accepted();
  const later = new Person();
  assertEquals(await text(passwordOf(later, {}, memory)), "typed");
  assertEquals(later.questions, []);
  const other = new Person(undefined, ["another"]);
  assertEquals(await text(passwordOf(other, { identity: "key 2" }, memory)), "another");
});

Deno.test("a password by flag is read anew each time, and not remembered", async () => {
  const memory = new PasswordMemory();
  const first = passwordOf(new Person("before"), {}, memory);
  await first.current();
  first.accepted();
  assertEquals(await text(passwordOf(new Person("after"), {}, memory)), "after");
});

Deno.test("a refused password is never given again, whoever gives it", async () => {
  const memory = new PasswordMemory();
  const first = passwordOf(new Person("wrong"), {}, memory);
  await first.current();
  await locked(() => first.refused(TWO_LEFT));
  const words = await locked(() => passwordOf(new Person("wrong"), {}, memory).current());
  assertEquals(words.endsWith("it was refused before and is not sent again"), true);
  assertEquals(await text(passwordOf(new Person("corrected"), {}, memory)), "corrected");
  const typing = new Person(undefined, ["wrong", "right"]);
  assertEquals(await text(passwordOf(typing, {}, memory)), "right");
});

Deno.test("a remembered password that the TPM no longer takes is forgotten, and asked for", async () => {
  const memory = new PasswordMemory();
  const first = passwordOf(new Person(undefined, ["old"]), {}, memory);
  await first.current();
  first.accepted();
  const person = new Person(undefined, ["new"]);
  const second = passwordOf(person, {}, memory);
  assertEquals(await text(second), "old");
  await second.refused(TWO_LEFT);
  assertEquals(await text(second), "new");
  assertEquals(person.questions.length, 1);
});

Deno.test("refused() tells what remains, and asks three times in all", async () => {
  const person = new Person(undefined, ["a", "b", "c", "d"]);
  const password = passwordOf(person);
  await password.current();
  await password.refused(TWO_LEFT);
  await password.refused();
  await locked(() => password.refused());
  assertEquals(person.questions.length, 3);
  assertEquals(person.said, [
    "that is not its password; 2 more wrong passwords lock the TPM",
    "that is not its password; such a try is not counted",
    "that is not its password; such a try is not counted",
  ]);
});

Deno.test("refused() asks nobody when the TPM is locked", async () => {
  const person = new Person(undefined, ["a", "b"]);
  const password = passwordOf(person);
  await password.current();
  const words = await locked(() => password.refused({ triesLeft: 0, secondsPerTry: 7200 }));
  assertEquals(person.questions.length, 1);
  assertEquals(words.includes("wait 2 hours for the next try"), true, words);
});

Deno.test("an empty password is guessed once where there may be none, and asked for after that", async () => {
  const memory = new PasswordMemory();
  const person = new Person(undefined, ["typed"]);
  const password = passwordOf(person, { guessEmpty: true }, memory);
  assertEquals([await text(password), password.isGuess], ["", true]);
  await password.refused();
  assertEquals([await text(password), password.isGuess], ["typed", false]);
  const later = passwordOf(new Person(undefined, ["other"]), { guessEmpty: true }, memory);
  assertEquals(await text(later), "other");
});

Deno.test("current() throws key-locked for a password longer than any, and where nobody can be asked", async () => {
  const words = await locked(() => passwordOf(new Person("ä".repeat(17))).current());
  assertEquals(words.includes("longer than the 32 bytes"), true);
  assertEquals(await text(passwordOf(new Person("ä".repeat(16)))), "ä".repeat(16));
  const alone = await locked(() => passwordOf(new Person()).current());
  assertEquals(alone.includes("--no-tpm-key-password if it has none"), true);
});

Deno.test("triesWords() counts down to the lock", () => {
  const words = (triesLeft: number) => triesWords({ triesLeft, secondsPerTry: 60 });
  assertEquals(words(31), "31 more wrong passwords lock the TPM");
  assertEquals(words(1), "one more wrong password locks the TPM");
  assertEquals(words(0).startsWith("the TPM is locked now: wait 60 seconds"), true);
});
