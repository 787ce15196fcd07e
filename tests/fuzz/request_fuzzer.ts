import { Mutator } from "../support/mutator.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import type { Fuzzer } from "./fuzzer.ts";

const ROLES = "/latest/meta-data/iam/security-credentials/";
const WORDS = ["GET ", "PUT ", "HEAD ", "\r\n", "\r\n\r\n", "\n", "\r", "\0", ": ", " HTTP/1.1"]
  .concat([" HTTP/1.0", " HTTP/2.0", "Host: ", "Host: localhost\r\n", "Content-Length: 0\r\n"])
  .concat(["Content-Length: 18446744073709551616\r\n", "Transfer-Encoding: chunked\r\n", "0\r\n"])
  .concat(["Connection: keep-alive\r\n", "Expect: 100-continue\r\n", "Upgrade: h2c\r\n", "%2e%2e"])
  .concat(["//", "/../", "?", "#", "%00", "x-aws-ec2-metadata-token: ", "X-Forwarded-For: 1\r\n"])
  .concat(["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "127.999.999.999", ":99999", "[::1]", "\t", "é"]);
const CHECK_INTERVAL = 1000;
/** Maximum growth of the server's memory after the first check, bytes. */
const MEMORY_GROWTH = 64 << 20;
/** Timeout for a response, milliseconds. */
const ANSWER_TIMEOUT = 20_000;

/** Requests as bytes on a raw connection to a running `serve`, with and without a token. */
export const fuzzer: Fuzzer = {
  shortRounds: 3000,
  longRounds: 100_000,
  async open(seed) {
    const mutator = new Mutator(seed, WORDS);
    const scenario = await SessionScenario.create();
    const serve = await ServeProcess.start(scenario).catch(async (thrown) => {
      await scenario[Symbol.asyncDispose]();
      throw thrown;
    });
    const token = await serve.token();
    const wrong = token.split("").toReversed().join("");
    const requests = makeRequests(serve.port, token, wrong);
    let rounds = 0;
    let early: number | undefined;
    return {
      async round() {
        rounds += 1;
        const sent = mutator.mutate(mutator.pick(requests));
        const answer = await exchange(serve.port, sent);
        checkSecrets(sent, answer, token);
        if (rounds % CHECK_INTERVAL === 0) {
          const { status, body } = await serve.get(CREDENTIALS_PATH, await serve.token());
          await body?.cancel();
          if (status !== 200) throw new Error(`after ${rounds} requests a good one met ${status}`);
          const memory = await residentBytes(serve.binary.pid);
          early ??= memory;
          if (memory > early + MEMORY_GROWTH) {
            throw new Error(`serve grew from ${early} to ${memory} bytes`);
          }
        }
        return /^HTTP\/\d\.\d (\d{3})/.exec(answer)?.[1] ?? "no answer";
      },
      async [Symbol.asyncDispose]() {
        const { code } = await serve.end();
        await scenario[Symbol.asyncDispose]();
        if (code !== 0) throw new Error(`serve ended with ${code}`);
      },
    };
  },
};

function makeRequests(port: number, token: string, wrong: string): Uint8Array[] {
  const request = (line: string, ...headers: string[]) =>
    new TextEncoder().encode(
      [line, `Host: 127.0.0.1:${port}`, ...headers, "", ""].join("\r\n"),
    );
  const header = (value: string) => `x-aws-ec2-metadata-token: ${value}`;
  return [
    request("PUT /latest/api/token HTTP/1.1", "x-aws-ec2-metadata-token-ttl-seconds: 60"),
    request("PUT /latest/api/token HTTP/1.1", "Content-Length: 4"),
    request(`GET ${ROLES} HTTP/1.1`, header(token)),
    request(`GET ${ROLES}Demo HTTP/1.1`, header(token)),
    request(`GET ${ROLES}Demo HTTP/1.1`),
    request(`GET ${ROLES}Demo HTTP/1.1`, header(wrong)),
    request(`GET ${ROLES}default HTTP/1.0`, header(wrong), "Connection: keep-alive"),
    request(`GET http://localhost${ROLES}Demo HTTP/1.1`, header(wrong)),
    request("GET /healthz HTTP/1.1", "Accept: */*"),
    request("POST /role/Demo HTTP/1.1", "Authorization: x", "Transfer-Encoding: chunked"),
  ];
}

/** Checks that only requests with the token in the header get credentials. */
function checkSecrets(sent: Uint8Array, response: string, token: string): void {
  if (!response.includes("SecretAccessKey")) return;
  const text = new TextDecoder("latin1").decode(sent);
  const header = /x-aws-ec2-metadata-token:[ \t]*([^\r\n]*?)[ \t]*\r?\n/gi;
  if ([...text.matchAll(header)].some(([, value]) => value === token)) return;
  throw new Error(`credentials without a token: ${JSON.stringify(text)}`);
}

/** Sends bytes, ends the sending side, and returns all that comes back. */
async function exchange(port: number, sent: Uint8Array): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isLate = false;
  try {
    timer = setTimeout(() => {
      isLate = true;
      connection.close();
    }, ANSWER_TIMEOUT);
    for (let done = 0; done < sent.length;) done += await connection.write(sent.subarray(done));
    await connection.closeWrite();
    let answer = "";
    const buffer = new Uint8Array(16_384);
    for (let length; (length = await connection.read(buffer)) !== null;) {
      answer += new TextDecoder("latin1").decode(buffer.subarray(0, length));
    }
    return answer;
  } catch (thrown) {
    if (isLate) throw new Error("no end of the answer", { cause: thrown });
    return ""; // the server closed while this was being sent
  } finally {
    clearTimeout(timer);
    if (!isLate) connection.close();
  }
}

async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]);
}
