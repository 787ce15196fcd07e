import { assertEquals, assertThrows } from "@std/assert";

import { LineEditor, type TypedEncoding } from "../../src/cli/terminal/line_editor.ts";
import { HelperError } from "../../src/errors.ts";

const UTF_16: TypedEncoding = {
  isContinuation: (unit) => (unit & 0xfc00) === 0xdc00,
  endOfInput: 26,
};

/** Types a text. Returns the state after the last key, and the line. */
function typed(text: string): [string, string] {
  const editor = new LineEditor(UTF_16);
  let state = "";
  for (let i = 0; i < text.length; i++) state = editor.type(text.charCodeAt(i));
  return [state, String.fromCharCode(...editor.take())];
}

Deno.test("LineEditor collects a line up to Enter and erases whole characters", () => {
  assertEquals(typed("abc\r"), ["done", "abc"]);
  assertEquals(typed("abc\n"), ["done", "abc"]);
  assertEquals(typed("a🔑\x7fb\x08c\r"), ["done", "ac"]);
  assertEquals(typed("\x7fab\x15c\r"), ["done", "c"]);
  assertEquals(typed("a\x1bb\tc"), ["more", "abc"]);
});

Deno.test("LineEditor ends the input only at the beginning of a line", () => {
  assertEquals(assertThrows(() => typed("\x1a"), HelperError).code, "key-locked");
  assertEquals(typed("a\x1a\r"), ["done", "a"]);
});

Deno.test("LineEditor throws interrupted on Ctrl-C", () => {
  assertEquals(assertThrows(() => typed("a\x03"), HelperError).code, "interrupted");
});

Deno.test("LineEditor erases a line that was taken", () => {
  const editor = new LineEditor(UTF_16);
  editor.type(0x61);
  assertEquals([editor.take(), editor.take()], [[0x61], []]);
});

Deno.test("LineEditor begins a new line after clear", () => {
  const editor = new LineEditor(UTF_16);
  editor.type(0x61);
  editor.clear();
  editor.type(0x62);
  assertEquals(editor.take(), [0x62]);
});
