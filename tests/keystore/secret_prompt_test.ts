import { assertEquals, assertRejects } from "@std/assert";

import { MAX_PROMPTS, RejectedSecrets, SecretPrompt } from "../../src/keystore/secret_prompt.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** Returns a prompt that answers from a list; undefined is a missing terminal. */
function promptFrom(answers: readonly (string | undefined)[], rejected: readonly string[] = []) {
  const [questions, remaining]: [string[], (string | undefined)[]] = [[], [...answers]];
  let held = 0;
  const prompt = new SecretPrompt({
    prompt: (question) => {
      questions.push(question);
      return Promise.resolve(remaining.shift());
    },
    isRejected: (answer) => Promise.resolve(rejected.includes(answer)),
    onRejected: () => held++,
    noTerminal: () => new Error("no terminal"),
    secretName: "the PIN",
  });
  return { prompt, questions, held: () => held };
}

Deno.test("SecretPrompt returns one answer a call, and throws after MAX_PROMPTS prompts in all", async () => {
  const { prompt, questions } = promptFrom(["a", "b", "c", "d"]);
  const ask = () => prompt.next(() => `prompt ${questions.length + 1}`);
  assertEquals([await ask(), await ask(), await ask()], ["a", "b", "c"]);
  await assertRejects(ask, Error, "the PIN: 3 wrong entries; check it and run again");
  assertEquals(questions, ["prompt 1", "prompt 2", "prompt 3"]);
  assertEquals(questions.length, MAX_PROMPTS);
});

Deno.test("SecretPrompt prompts again for a rejected answer, and counts it", async () => {
  const { prompt, questions, held } = promptFrom(["bad", "good"], ["bad"]);
  assertEquals(await prompt.next(() => "?"), "good");
  assertEquals([questions.length, held()], [2, 1]);
  const only = promptFrom(["bad", "bad", "bad"], ["bad"]);
  await assertRejects(
    () => only.prompt.next(() => "?"),
    Error,
    "the PIN: 3 wrong entries; check it and run again",
  );
  assertEquals(only.held(), 3);
});

Deno.test("SecretPrompt throws its own error without a terminal", async () => {
  const { prompt } = promptFrom([undefined]);
  await assertRejects(() => prompt.next(() => "?"), Error, "no terminal");
});

Deno.test("RejectedSecrets knows what each name rejected, text and bytes alike", async () => {
  const rejected = new RejectedSecrets();
  await rejected.add("a", encode("1234"));
  await rejected.add("a", "");
  for (const secret of ["1234", encode("1234"), "", encode("")]) {
    assertEquals([await rejected.has("a", secret), await rejected.has("b", secret)], [true, false]);
  }
  assertEquals(await rejected.has("a", "12345"), false);
});

Deno.test("RejectedSecrets does not change the caller's bytes", async () => {
  const secret = encode("1234");
  await new RejectedSecrets().add("a", secret);
  assertEquals(secret, encode("1234"));
});

Deno.test("RejectedSecrets loses none of the secrets that are added at one time", async () => {
  const rejected = new RejectedSecrets();
  const secrets = Array.from({ length: 20 }, (_, i) => `secret ${i}`);
  await Promise.all(secrets.map((secret) => rejected.add("a", secret)));
  for (const secret of secrets) assertEquals(await rejected.has("a", secret), true, secret);
});
