import { assert, assertEquals, assertLessOrEqual } from "@std/assert";

import { MAX_TOKENS, TokenStore } from "../../src/imds/tokens.ts";

function createStore() {
  const clock = { time: 0 };
  const store = new TokenStore(
    () => clock.time,
    (length) => crypto.getRandomValues(new Uint8Array(length)),
  );
  return { clock, store };
}

Deno.test("remaining() counts down to the end of the token's lifetime", () => {
  const { clock, store } = createStore();
  const token = store.issue(2, "a");
  assertEquals(store.remaining(token), 2);
  clock.time = 1;
  assertEquals(store.remaining(token), 2);
  clock.time = 1999;
  assertEquals(store.remaining(token), 1);
  clock.time = 2000;
  assertEquals(store.remaining(token), undefined);
});

Deno.test("remaining() refuses a token that differs in any character", () => {
  const { store } = createStore();
  const token = store.issue(60, "a");
  for (let i = 0; i < token.length; i++) {
    const other = token[i] === "A" ? "B" : "A";
    assertEquals(store.remaining(token.slice(0, i) + other + token.slice(i + 1)), undefined);
    assertEquals(store.remaining(token.slice(0, i)), undefined);
  }
  for (const wrong of ["", `${token}A`, `${token} `, "é".repeat(56)]) {
    assertEquals(store.remaining(wrong), undefined);
  }
});

Deno.test("issue() evicts the token that expires first if one client has all", () => {
  const { store } = createStore();
  const tokens = Array.from({ length: MAX_TOKENS }, (_, i) => store.issue(1000 - i, "a"));
  const last = store.issue(5000, "a");
  assertEquals(store.size, MAX_TOKENS);
  assertEquals(store.remaining(tokens.at(-1) ?? ""), undefined);
  assertEquals([...tokens.slice(0, -1), last].every((token) => store.remaining(token)), true);
});

Deno.test("issue() sweeps expired tokens before it evicts any", () => {
  const { clock, store } = createStore();
  const kept = store.issue(100, "a");
  for (let i = 1; i < MAX_TOKENS; i++) store.issue(1, "b");
  clock.time = 1000;
  store.issue(50, "b");
  assertEquals([store.size, store.remaining(kept)], [2, 99]);
});

Deno.test("a flood of 10,000 tokens evicts only tokens of the client that requests them", () => {
  const { store } = createStore();
  const others = ["a", "b", "c"].flatMap((client) =>
    Array.from({ length: 20 }, () => store.issue(10, client))
  );
  for (let i = 0; i < 10_000; i++) {
    store.issue(21_600, "flood");
    assertLessOrEqual(store.size, MAX_TOKENS);
  }
  assert(others.every((token) => store.remaining(token) === 10));
});
