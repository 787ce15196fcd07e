/** Runs `parsePem` where it can be stopped: a worker that is given the text and says how many blocks. */
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
