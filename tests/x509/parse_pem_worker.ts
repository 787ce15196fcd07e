/** Worker that runs `parsePem` on a text and returns the number of blocks. It can be terminated. */
import { parsePem } from "../../src/x509/pem.ts";

self.addEventListener("message", (event) => {
  let outcome: string;
  try {
    outcome = `${parsePem(String(Reflect.get(event, "data"))).length} blocks`;
  } catch (thrown) {
    outcome = thrown instanceof Error ? thrown.name : "not an error";
  }
  Reflect.apply(Reflect.get(self, "postMessage"), self, [outcome]);
});
