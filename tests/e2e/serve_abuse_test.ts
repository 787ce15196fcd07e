import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { commandAsOther } from "../support/other_user.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { TOO_LARGE_STATUS } from "../support/runtime_differences.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

/** Sends bytes unchanged and returns the response until the end or a pause. */
async function sendRaw(port: number, text: string, pause = 30_000): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const closing: { timer?: ReturnType<typeof setTimeout> } = {};
  let answer = "";
  try {
    const bytes = new TextEncoder().encode(text);
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
    const buffer = new Uint8Array(65_536);
    for (;;) {
      closing.timer = setTimeout(() => connection.close(), pause);
      const length = await connection.read(buffer);
      clearTimeout(closing.timer);
      if (length === null) return answer;
      answer += new TextDecoder().decode(buffer.subarray(0, length));
      if (/\r\n\r\n/.test(answer)) return answer;
    }
  } catch {
    return answer;
  } finally {
    clearTimeout(closing.timer);
  }
}

async function isUp(serve: ServeProcess): Promise<void> {
  const answer = await serve.get(CREDENTIALS_PATH);
  assertMatch((await answer.json()).AccessKeyId, /^ASIA/);
}

const ROLES = "/latest/meta-data/iam/security-credentials/";
const HOST = "Host: 127.0.0.1\r\n";

Deno.test("serve answers or refuses whatever is sent, and stays up", async (t) => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario);
  const token = await serve.token();
  const withToken = `${HOST}X-aws-ec2-metadata-token: ${token}\r\n`;
  const cases: Record<string, [request: string, status: RegExp]> = {
    "DNS rebinding": [
      `GET ${ROLES} HTTP/1.1\r\nHost: evil.example\r\nX-aws-ec2-metadata-token: ${token}\r\n\r\n`,
      /^HTTP\/1.1 403/,
    ],
    "an absolute target of another host": [
      `GET http://evil.example${ROLES} HTTP/1.1\r\n${withToken}\r\n`,
      /^HTTP\/1.1 403/,
    ],
    "no Host": [`GET ${ROLES} HTTP/1.1\r\n${withToken.replace(HOST, "")}\r\n`, /^HTTP\/1.1 400/],
    "no Host in HTTP/1.0": [`GET /healthz HTTP/1.0\r\n\r\n`, /^HTTP\/1.0 400/],
    "two Hosts": [`GET ${ROLES} HTTP/1.1\r\n${HOST}${withToken}\r\n`, /^HTTP\/1.1 400/],
    "an address that cannot be": [
      `GET ${ROLES} HTTP/1.1\r\n${withToken.replace("127.0.0.1", "127.999.999.999")}\r\n`,
      /^HTTP\/1.1 400/,
    ],
    "a port that cannot be": [
      `GET ${ROLES} HTTP/1.1\r\n${withToken.replace("127.0.0.1", "127.0.0.1:99999")}\r\n`,
      /^HTTP\/1.1 400/,
    ],
    "X-Forwarded-For": [
      `PUT /latest/api/token HTTP/1.1\r\n${HOST}X-Forwarded-For: 10.0.0.1\r\n\r\n`,
      /^HTTP\/1.1 400/,
    ],
    "a header of 64 KiB": [
      `GET ${ROLES} HTTP/1.1\r\n${withToken}X: ${"a".repeat(65_536)}\r\n\r\n`,
      new RegExp(`^HTTP/1.1 (200|${TOO_LARGE_STATUS.headers})`),
    ],
    "a header of 4 MiB": [
      `GET ${ROLES} HTTP/1.1\r\n${withToken}X: ${"a".repeat(4 << 20)}\r\n\r\n`,
      new RegExp(`^HTTP/1.1 ${TOO_LARGE_STATUS.headers}|^$`),
    ],
    "a token of 64 KiB": [
      `GET ${ROLES} HTTP/1.1\r\n${HOST}X-aws-ec2-metadata-token: ${"a".repeat(65_536)}\r\n\r\n`,
      new RegExp(`^HTTP/1.1 (401|${TOO_LARGE_STATUS.headers})`),
    ],
    "1,000 headers": [
      `GET ${ROLES} HTTP/1.1\r\n${withToken}${"X: a\r\n".repeat(1000)}\r\n`,
      new RegExp(`^HTTP/1.1 ${TOO_LARGE_STATUS.headers}`),
    ],
    "a target of 100 KB": [
      `GET /${"a".repeat(100_000)} HTTP/1.1\r\n${HOST}\r\n`,
      new RegExp(`^HTTP/1.1 ${TOO_LARGE_STATUS.target}`),
    ],
    "no HTTP": ["\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", /^HTTP\/1.1 400|^$/],
    "a header without a colon": [
      `GET ${ROLES} HTTP/1.1\r\n${HOST}bad header\r\n\r\n`,
      /^HTTP\/1.1 400/,
    ],
    "an invalid host": [`GET ${ROLES} HTTP/1.1\r\nHost: a b\r\n\r\n`, /^HTTP\/1.1 40[03]/],
    "Expect: 100-continue": [
      `PUT /latest/api/token HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
      /^HTTP\/1.1 (100|200)/,
    ],
    "a body of 100 MB that never comes": [
      `PUT /latest/api/token HTTP/1.1\r\n${HOST}Content-Length: 100000000\r\n\r\n`,
      /^HTTP\/1.1 200/,
    ],
    "two lengths": [
      `PUT /latest/api/token HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
      /^HTTP\/1.1 400/,
    ],
    "percent signs that escape nothing": [
      `GET ${ROLES}%zz%00 HTTP/1.1\r\n${withToken}\r\n`,
      /^HTTP\/1.1 40[04]/,
    ],
    "HTTP/1.0": [`GET ${ROLES} HTTP/1.0\r\n${withToken}\r\n`, /^HTTP\/1.0 200/],
    "HEAD": [`HEAD ${ROLES} HTTP/1.1\r\n${withToken}\r\n`, /^HTTP\/1.1 200/],
  };
  for (const [what, [request, status]] of Object.entries(cases)) {
    await t.step(what, async () => {
      assertMatch(await sendRaw(serve.port, request), status);
      await isUp(serve);
    });
  }
  assertEquals((await serve.end()).code, 0);
});

Deno.test("serve answers Expect: 100-continue of curl", async () => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario);
  const { stdout } = await new Deno.Command("curl", {
    args: [
      "-s",
      "-X",
      "PUT",
      "-H",
      "Expect: 100-continue",
      "-d",
      "x".repeat(2000),
      `${serve.url}/latest/api/token`,
    ],
  }).output();
  assertEquals(stdout.length, 56);
});

testWith(
  ["other-user"],
  "serve keeps the tokens of other users through a flood of 10,000",
  async () => {
    await using scenario = await SessionScenario.create();
    await using serve = await ServeProcess.start(scenario);
    const token = ["curl", "-s", "-X", "PUT", `${serve.url}/latest/api/token`];
    const [command = "", ...args] = commandAsOther(token, 4321);
    const others = (await runProgram(command, args)).stdout;
    assertEquals(others.length, 56);
    const url = `${serve.url}/latest/api/token`;
    for (let i = 0; i < 10_000; i += 50) {
      await Promise.all(Array.from({ length: 50 }, async () => {
        await (await fetch(url, { method: "PUT" })).text();
      }));
    }
    const kept = await serve.get(CREDENTIALS_PATH, others);
    assertEquals([kept.status, (await kept.json()).Code], [200, "Success"]);
    await isUp(serve);
  },
);

Deno.test("serve stays up when 2,000 connections never finish their request, and when it runs out of files", async () => {
  await using scenario = await SessionScenario.create();
  const limits: readonly [wrapper: string[] | undefined, min: number][] = [
    [undefined, 250],
    [["prlimit", "--nofile=300:300"], 250],
    [["prlimit", "--nofile=128:128"], 60],
  ];
  for (const [wrapper, min] of limits) {
    await using run = new RunningBinary(["serve", ...scenario.flags, "--port=0"], {}, wrapper);
    const line = await run.waitForLine(/^export AWS_EC2_METADATA_SERVICE_ENDPOINT=/);
    const url = line.replace(/^[^=]*=|\/$/g, "");
    const port = Number(new URL(url).port);
    const slow: Deno.Conn[] = [];
    try {
      for (let i = 0; i < 2000; i++) {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() =>
          undefined
        );
        if (!connection) break;
        slow.push(connection);
        await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: ")).catch(
          () => {},
        );
      }
      assert(slow.length > min, `${slow.length} connections`);
      const answered = await answersWithin(url, 30_000);
      assertLess(answered, 30_000);
    } finally {
      slow.forEach((connection) => connection.close());
    }
    run.kill("SIGTERM");
    assertEquals((await run.end()).code, 0);
  }
});

/** Returns the milliseconds until the response of /healthz. */
async function answersWithin(url: string, max: number): Promise<number> {
  const started = performance.now();
  while (performance.now() - started < max) {
    const status = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5000) })
      .then(async (answer) => {
        await answer.body?.cancel();
        return answer.status;
      }, () => 0);
    if (status === 200) return performance.now() - started;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return Infinity;
}

Deno.test("serve keeps a client's connection through a crowd of 600 that send nothing", async () => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario);
  const token = await serve.token();
  const request = new TextEncoder().encode(
    `GET ${CREDENTIALS_PATH} HTTP/1.1\r\n${HOST}X-aws-ec2-metadata-token: ${token}\r\n\r\n`,
  );
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: serve.port });
  const buffer = new Uint8Array(65_536);
  const ask = async () => {
    await connection.write(request);
    let answer = "";
    while (!/\r\n\r\n.*\}$/s.test(answer)) {
      const length = await connection.read(buffer);
      if (length === null) break;
      answer += new TextDecoder().decode(buffer.subarray(0, length));
    }
    return answer.slice(0, 15);
  };
  assertEquals([await ask(), await ask()], ["HTTP/1.1 200 OK", "HTTP/1.1 200 OK"]);
  const crowd: Deno.Conn[] = [];
  try {
    for (let i = 0; i < 600; i++) {
      crowd.push(await Deno.connect({ hostname: "127.0.0.1", port: serve.port }));
    }
    // Until the server has ended those that are too many.
    const ended = crowd.map((each) => each.read(new Uint8Array(1)).catch(() => null));
    await Promise.race(ended);
    assertEquals(await ask(), "HTTP/1.1 200 OK");
  } finally {
    crowd.forEach((each) => each.close());
  }
  assertEquals((await serve.end()).code, 0);
});

Deno.test("serve does not start if its limit of open files is too low", async () => {
  await using scenario = await SessionScenario.create();
  for (const limit of [20, 24, 127]) {
    await using run = new RunningBinary(["serve", ...scenario.flags, "--port=0"], {}, [
      "prlimit",
      `--nofile=${limit}:${limit}`,
    ]);
    assertEquals([(await run.end()).code, run.lines.filter((line) => line !== "")], [1, [
      `aws_signing_helper: the limit of open files is ${limit}: serve needs 128; ` +
      "raise it with ulimit -n, or LimitNOFILE of systemd",
    ]]);
  }
  assertEquals(scenario.emulator.requests.length, 0);
});
