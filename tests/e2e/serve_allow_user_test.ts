/** `serve --allow-user`: two users of this machine, made by the test, and the kernel's word. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { fileURLToPath } from "node:url";

import { BINARY, runBinary, runProgram } from "../support/binary.ts";
import { type Need, testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { runAs, type SystemUser, SystemUsers } from "../support/system_users.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Python of the system: the users cannot read that of the checkout. */
const PYTHON = "/usr/bin/python3";
const script = (name: string) =>
  Deno.readTextFileSync(fileURLToPath(new URL(`../support/${name}`, import.meta.url)));
const CLIENT = script("raw_client.py");

const NEEDS: readonly Need[] = [
  ...["linux", "binary", "root", "other-user"] as const,
  ...["program:/usr/sbin/useradd", `program:${PYTHON}`] as const,
];
const TOKEN = "x-aws-ec2-metadata-token";
const SECONDS = `${TOKEN}-ttl-seconds`;

interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface RawResponse {
  readonly status: number;
  readonly body: string;
}

type Address = string | readonly [host: string, port: number];

/** Sends requests as a user; each has a connection, and all are open at once. */
async function ask(
  user: SystemUser | undefined,
  address: Address,
  requests: readonly RawRequest[],
  wrapper: readonly string[] = [],
): Promise<readonly RawResponse[]> {
  const command = [...wrapper, PYTHON, "-c", CLIENT];
  const stdin = JSON.stringify({ address, requests });
  const [program = "", ...args] = command;
  const { code, stdout, stderr } = user
    ? await runAs(user, command, { stdin })
    : await runProgram(program, args, { stdin });
  assertEquals([code, stderr], [0, ""]);
  return JSON.parse(stdout);
}

const tokenRequest: RawRequest = {
  method: "PUT",
  path: "/latest/api/token",
  headers: { [SECONDS]: "600" },
};
const credentialsRequest = (token: string): RawRequest => ({
  path: CREDENTIALS_PATH,
  headers: { [TOKEN]: token },
});

/** A `serve` with a container token, and the flags for its address. */
class Scene implements AsyncDisposable {
  private constructor(
    readonly scenario: SessionScenario,
    readonly users: SystemUsers,
    readonly serve: RunningBinary,
    readonly address: Address,
    readonly containerToken: string,
    private readonly directory: TemporaryDirectory,
  ) {}

  static async start(
    bind: string,
    allowed: (users: SystemUsers) => readonly string[],
  ): Promise<Scene> {
    const scenario = await SessionScenario.create();
    const users = await SystemUsers.create();
    const directory = new TemporaryDirectory();
    Deno.chmodSync(directory.path, 0o755);
    const path = directory.join("helper.sock");
    const isUnix = bind === "unix";
    const tokenFile = directory.join("token");
    const serve = new RunningBinary([
      ...["serve", ...scenario.flags, "--bind", isUnix ? path : bind, "--port=0"],
      ...["--container-credentials", "--container-token-file", tokenFile],
      ...allowed(users).map((user) => `--allow-user=${user}`),
    ], {});
    await serve.waitForLine(/only these users get credentials: /);
    const url = serve.lines.find((line) => line.startsWith("export AWS_EC2_"))
      ?.replace(/^[^=]*=/, "");
    const { port = "0" } = url === undefined ? {} : new URL(url);
    const address: Address = isUnix ? path : [bind, Number(port)];
    const containerToken = Deno.readTextFileSync(tokenFile);
    return new Scene(scenario, users, serve, address, containerToken, directory);
  }

  async token(user: SystemUser): Promise<string> {
    const [issued] = await ask(user, this.address, [tokenRequest]);
    assertEquals(issued?.status, 200, issued?.body);
    return issued?.body ?? "";
  }

  get roleRequest(): RawRequest {
    return { path: "/role/Demo", headers: { authorization: this.containerToken } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.serve[Symbol.asyncDispose]();
    await this.users[Symbol.asyncDispose]();
    await this.scenario[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
  }
}

const BINDS: Readonly<Record<string, readonly Need[]>> = {
  "127.0.0.1": [],
  "127.0.0.7": [],
  "::1": ["ipv6-loopback"],
  "unix": [],
};
const NO_CREDENTIALS = "this user gets no credentials; start serve with --allow-user for it";

for (const [bind, needs] of Object.entries(BINDS)) {
  testWith([...NEEDS, ...needs], `--allow-user lets one user ask at ${bind}`, async () => {
    await using scene = await Scene.start(bind, ({ alice }) => [alice.name]);
    const { address, users: { alice, bob }, roleRequest, scenario: { emulator } } = scene;
    const token = await scene.token(alice);
    const all = [
      tokenRequest,
      credentialsRequest(token),
      { path: "/latest/meta-data/iam/security-credentials/", headers: { [TOKEN]: token } },
      { path: "/latest/dynamic/instance-identity/document", headers: { [TOKEN]: token } },
      roleRequest,
    ];
    const own = await ask(alice, address, all);
    assertEquals(own.map(({ status }) => status), [200, 200, 200, 200, 200]);
    for (const i of [1, 4]) {
      assertEquals(JSON.parse(own[i]?.body ?? "").AccessKeyId, emulator.issued[0]?.accessKeyId);
    }
    // Stolen tokens are useless; root is a user too.
    for (const other of [bob, undefined]) {
      const refused = await ask(other, address, all);
      assertEquals(refused.map(({ status }) => status), [403, 403, 403, 403, 403]);
      assertEquals(refused[1]?.body, NO_CREDENTIALS);
      assertEquals(JSON.parse(refused[4]?.body ?? ""), {
        code: "AccessDenied",
        message: NO_CREDENTIALS,
      });
      const [health, unknown] = await ask(other, address, [
        { path: "/healthz" },
        { path: "/latest/user-data" },
      ]);
      assertEquals([health?.status, unknown?.status], [200, 404]);
    }
  });

  testWith([...NEEDS, ...needs], `a token at ${bind} is of one user only`, async () => {
    await using scene = await Scene.start(bind, ({ alice, bob }) => [alice.name, String(bob.id)]);
    const { address, users: { alice, bob } } = scene;
    const requests = [await scene.token(alice), await scene.token(bob)].map(credentialsRequest);
    // Both users at once, many times: each connection keeps its user.
    const repeated = Array.from({ length: 60 }, () => requests).flat();
    const statuses = async (user: SystemUser) =>
      (await ask(user, address, repeated)).map(({ status }) => status);
    const [ofAlice, ofBob] = await Promise.all([statuses(alice), statuses(bob)]);
    assertEquals(ofAlice, repeated.map((_, i) => i % 2 === 0 ? 200 : 401));
    assertEquals(ofBob, repeated.map((_, i) => i % 2 === 0 ? 401 : 200));
  });

  testWith(
    [...NEEDS, ...needs],
    `200 connections of each of two users at once at ${bind}`,
    async () => {
      await using scene = await Scene.start(bind, ({ alice }) => [alice.name]);
      const { address, users: { alice, bob } } = scene;
      const token = await scene.token(alice);
      const many = Array.from({ length: 200 }, () => credentialsRequest(token));
      for (let round = 0; round < 2; round++) {
        const [own, refused] = await Promise.all([
          ask(alice, address, many),
          // Each user's connections stay open until the last response.
          ask(bob, address, many.slice(0, bind === "unix" ? 60 : 200)),
        ]);
        assertEquals(new Set(own.map(({ status }) => status)), new Set([200]));
        assertEquals(new Set(refused.map(({ status }) => status)), new Set([403]));
      }
      const [after] = await ask(alice, address, [credentialsRequest(token)]);
      assertEquals(after?.status, 200);
    },
  );
}

for (const bind of ["127.0.0.1", "::1"]) {
  testWith(
    [...NEEDS, ...BINDS[bind] ?? []],
    `a port at ${bind} that another user takes over has nothing for that user`,
    async () => {
      await using scene = await Scene.start(bind, ({ alice }) => [alice.name]);
      const { address, users: { alice, bob }, serve } = scene;
      if (typeof address === "string") throw new Error(address);
      const token = await scene.token(alice);
      const request =
        `GET ${CREDENTIALS_PATH} HTTP/1.1\r\nHost: localhost\r\n${TOKEN}: ${token}\r\n\r\n`;
      const rounds = 60;
      for (const [first, second, status] of [[alice, bob, 403], [bob, alice, 200]] as const) {
        const { code, stdout, stderr } = await runProgram(PYTHON, [
          ...["-c", script("port_reuse.py"), bind, String(address[1])],
          ...[String(first.id), String(second.id), String(rounds), String(serve.pid)],
        ], { stdin: request });
        assertEquals([code, stderr], [0, ""]);
        assertEquals(JSON.parse(stdout), { [status]: rounds });
      }
    },
  );
}

testWith(
  [...NEEDS, "user-namespace"],
  "--allow-user knows users inside of a user namespace by their number outside",
  async () => {
    await using scene = await Scene.start("127.0.0.1", ({ alice }) => [alice.name]);
    const { address, users: { alice, bob } } = scene;
    const asRoot = ["unshare", "--user", "--map-root-user"];
    const [own] = await ask(alice, address, [tokenRequest], asRoot);
    assertEquals(own?.status, 200);
    for (const map of [asRoot, ["unshare", "--user", `--map-user=${alice.id}`]]) {
      const [refused] = await ask(bob, address, [tokenRequest], map);
      assertEquals(refused?.status, 403, map.join(" "));
    }
  },
);

testWith(
  [...NEEDS, "user-namespace"],
  "serve inside of a user namespace refuses users that the namespace does not have",
  async () => {
    await using scenario = await SessionScenario.create();
    await using users = await SystemUsers.create();
    const namespace = ["unshare", "--user", "--map-root-user"];
    const overflow = Deno.readTextFileSync("/proc/sys/kernel/overflowuid").trim();
    const [program = "", ...args] = [...namespace, BINARY, "serve", ...scenario.flags];
    const refused = await runProgram(program, [...args, "--port=0", `--allow-user=${overflow}`]);
    assertEquals(refused.code, 2);
    assertStringIncludes(
      refused.stderr,
      `--allow-user: here ${overflow} is also any user outside of the namespace; use another user`,
    );
    const flags = ["serve", ...scenario.flags, "--port=0", "--allow-user=0"];
    await using serve = new RunningBinary(flags, {}, namespace);
    const line = await serve.waitForLine(/^export AWS_EC2_/);
    await serve.waitForLine(/only these users/);
    const address: Address = ["127.0.0.1", Number(new URL(line.replace(/^[^=]*=/, "")).port)];
    const [own] = await ask(undefined, address, [tokenRequest]);
    assertEquals(own?.status, 200, own?.body);
    const [other] = await ask(users.alice, address, [tokenRequest]);
    assertEquals(other?.status, 403);
  },
);

/** Flags with which --allow-user would promise more than the kernel reports. */
const REFUSED: Readonly<Record<string, readonly [flags: readonly string[], message: RegExp]>> = {
  "every address": [
    ["--allow-user=0", "--bind=0.0.0.0", "--hop-limit=1"],
    /--allow-user: the kernel reports only users of this machine; use --bind with a loopback address\n$/,
  ],
  "other machines": [
    ["--allow-user=0", "--bind=0.0.0.0", "--allow-remote"],
    /--allow-user and --allow-remote cannot be used together\n$/,
  ],
  "a user that does not exist": [
    ["--allow-user=no-such"],
    /--allow-user: there is no user "no-such"; check the name with getent passwd\n$/,
  ],
  "a number of no user": [
    ["--allow-user=4294967295"],
    /--allow-user: a user's number is at most 4294967294; correct it\n$/,
  ],
  "no user": [["--allow-user", ""], /--allow-user is empty; name a value, or omit it\n$/],
  "one of two users empty": [
    ["--allow-user=0", "--allow-user="],
    /--allow-user is empty; name a value, or omit it\n$/,
  ],
};

for (const [what, [flags, message]] of Object.entries(REFUSED)) {
  testWith(["linux", "binary"], `serve refuses --allow-user for ${what}`, async () => {
    await using scenario = await SessionScenario.create();
    const { code, stdout, stderr } = await runBinary(["serve", ...scenario.flags, ...flags]);
    assertEquals([code, stdout], [2, ""]);
    assertMatch(stderr, message);
    assertEquals(scenario.emulator.requests.length, 0);
  });
}

testWith(["linux", "binary"], "serve refuses an empty variable for --allow-user", async () => {
  await using scenario = await SessionScenario.create();
  const { code, stderr } = await runBinary(["serve", ...scenario.flags], {
    env: { AWS_SIGNING_HELPER_ALLOW_USER: "" },
  });
  assertEquals(code, 2);
  assertStringIncludes(stderr, "AWS_SIGNING_HELPER_ALLOW_USER is empty; ");
});

testWith(
  ["linux", "binary", `program:${PYTHON}`],
  "serve does not start with --allow-user where the kernel does not report users",
  async () => {
    await using scenario = await SessionScenario.create();
    const sandbox = ["-c", script("without_sock_diag.py")];
    const serve = ["serve", ...scenario.flags, "--port=0"];
    const { code, stdout, stderr } = await runProgram(PYTHON, [
      ...sandbox,
      BINARY,
      ...serve,
      "--allow-user=0",
    ]);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(
      stderr,
      "--allow-user: the kernel does not report the user of a connection",
    );
    assertEquals(scenario.emulator.requests.length, 0);
    // Without the flag it serves there.
    await using without = new RunningBinary(serve, {}, [PYTHON, ...sandbox]);
    await without.waitForLine(/^export /);
  },
);

testWith(
  ["linux", "binary"],
  "the socket of --allow-user is open to all users, others are not",
  async () => {
    await using scenario = await SessionScenario.create();
    const path = scenario.directory.join("helper.sock");
    const mode = () => (Deno.statSync(path).mode ?? 0) & 0o777;
    for (const [flags, expected] of [[[], 0o600], [["--allow-user=0"], 0o666]] as const) {
      const args = ["serve", ...scenario.flags, "--bind", path, ...flags];
      await using serve = new RunningBinary(args, {});
      await serve.waitForLine(/^Starting server on /);
      assertEquals(mode(), expected);
      serve.kill("SIGTERM");
      assertEquals((await serve.end()).code, 0);
      assert(!exists(path));
    }
  },
);

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

testWith(["linux", "binary"], "SDKs of an allowed user get credentials as before", async () => {
  await using scenario = await SessionScenario.create();
  const uid = Deno.uid() ?? 0;
  await using serve = await ServeProcess.start(scenario, ["--debug", `--allow-user=${uid}`]);
  const credentials = await serve.get(CREDENTIALS_PATH);
  assertEquals((await credentials.json()).AccessKeyId, scenario.emulator.issued[0]?.accessKeyId);
  await serve.binary.waitForLine(new RegExp(`"GET".*"client":"127\\.0\\.0\\.1 user ${uid}"`));
  assertNotEquals((await serve.end()).milliseconds, 0);
});
