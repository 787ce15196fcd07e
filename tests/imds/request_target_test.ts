import { assertEquals } from "@std/assert";
import { targetReader } from "../../src/imds/request_target.ts";

const read = targetReader((authority) => authority === "127.0.0.1:9911");

for (
  const [url, path, isAllowed, authority] of [
    ["http://127.0.0.1:9911/a/b", "/a/b", true, "127.0.0.1:9911"],
    ["http://127.0.0.1:9911/a/b/", "/a/b", true, "127.0.0.1:9911"],
    ["http://127.0.0.1:9911///a/b?c=/d/", "/a/b", true, "127.0.0.1:9911"],
    ["http://127.0.0.1:9911/a///b////", "/a/b", true, "127.0.0.1:9911"],
    ["http://127.0.0.1:9911/2009-04-04/a", "/latest/a", true, "127.0.0.1:9911"],
    ["http://127.0.0.1:9911//2021-07-15//", "/latest", true, "127.0.0.1:9911"],
    ["http://127.0.0.1:9911/1.0/a", "/latest/a", true, "127.0.0.1:9911"],
    ["http://127.0.0.1:9911/2009-04-041/a", "/2009-04-041/a", true, "127.0.0.1:9911"],
    ["http://127.0.0.1:9911/a/2009-04-04/", "/a/2009-04-04", true, "127.0.0.1:9911"],
    ["http://127.0.0.1:9911/", "/", true, "127.0.0.1:9911"],
    ["http://127.0.0.1:9911///", "/", true, "127.0.0.1:9911"],
    ["http://127.0.0.1:9911", "/", true, "127.0.0.1:9911"],
    ["http://evil.example/a", "/a", false, "evil.example"],
    ["http:///a", "/a", false, ""],
  ] as const
) {
  Deno.test(`targetReader() reads ${url}, again and after another`, () => {
    for (const asked of [url, url, "http://other.example/x", url]) {
      if (asked === url) assertEquals(read(asked), { url, path, authority, isAllowed });
      else assertEquals(read(asked).isAllowed, false);
    }
  });
}
