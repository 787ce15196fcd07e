import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { relative } from "node:path";
import { runBinary } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { PYTHON } from "../support/tools.ts";

Deno.test("serve announces itself, serves the session and ends with 0 on SIGTERM and SIGINT", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using scenario = await SessionScenario.create();
    await using serve = await ServeProcess.start(scenario);
    await serve.binary.waitForLine(/^aws_signing_helper: leave this running; Ctrl-C ends it$/);
    const [refreshed, starting, exported] = serve.binary.lines;
    assertMatch(
      refreshed ?? "",
      /^aws_signing_helper: credentials are valid until \S+Z; the next refresh is at \S+Z$/,
    );
    assertEquals(starting, `Starting server on port ${serve.port}...`);
    assertEquals(
      exported,
      `export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:${serve.port}/`,
    );
    const served = await (await serve.get(CREDENTIALS_PATH)).json();
    const [issued] = scenario.emulator.issued;
    assertEquals(
      [served.AccessKeyId, served.SecretAccessKey, served.Token, served.Expiration],
      [issued?.accessKeyId, issued?.secretAccessKey, issued?.sessionToken, issued?.expiration],
    );
    assertEquals(await (await serve.get("/latest/meta-data/placement/region")).text(), "us-east-1");
    const { code, milliseconds } = await serve.end(signal);
    assertEquals(code, 0);
    // Less than the timeout for open requests.
    assert(milliseconds < 2000, `${milliseconds} ms`);
    assertEquals(serve.binary.lines.length, 4);
    assertEquals(scenario.emulator.requests.length, 1);
  }
});

const FIRST_FAILURES = { "access-denied": 4, "drop": 6, "empty-set": 1 } as const;

for (const [mode, exitCode] of Object.entries(FIRST_FAILURES)) {
  Deno.test(`serve reports the error, exits with ${exitCode} and does not listen if the first call meets ${mode}`, async () => {
    await using scenario = await SessionScenario.create();
    scenario.emulator.fail(mode as keyof typeof FIRST_FAILURES);
    const { code, stdout, stderr } = await runBinary(["serve", ...scenario.flags, "--port=0"]);
    assertEquals({ code, stdout }, { code: exitCode, stdout: "" });
    assertMatch(stderr, /^aws_signing_helper: [^\n]+\n$/);
    assert(!stderr.includes("Starting server"));
  });
}

Deno.test("serve reports an address that it cannot listen on, before it requests a session", async () => {
  await using scenario = await SessionScenario.create();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const file = scenario.directory.write("file.sock", "not a socket");
  const cases: [readonly string[], number, RegExp][] = [
    [["--port", String(port)], 1, new RegExp(`127.0.0.1 port ${port}: another program listens`)],
    [["--port", "65536"], 2, /--port is "65536"; it must be a whole number of 0 to 65535/],
    [["--port=0", "--hop-limit=0"], 2, /--hop-limit is "0"; it must be/],
    [["--port=0", "--bind", "0.0.0.0"], 2, /--bind 0.0.0.0 would send credentials/],
    [
      ["--port=0", "--bind", "host.example"],
      2,
      /--bind is not an address; write an IP address, localhost/,
    ],
    [["--port=0", "--bind", "192.0.2.1", "--allow-remote"], 1, /does not have that address/],
    [["--bind", file], 1, /the file there is not a socket/],
    [["--bind", scenario.directory.join("no/x.sock")], 1, /the directory .* does not exist/],
    [["--bind", `/tmp/${"x".repeat(120)}`], 1, /must be shorter than/],
    [["--port=0", "--container-token-file", "/tmp/x"], 2, /needs --container-credentials/],
    [
      ["--port=0", "--container-credentials", "--container-token-file", "/tmp/a\nb"],
      2,
      /--container-token-file contains a line end or another control character; choose/,
    ],
    [
      ["--port=0", "--allow-host", "http://a.example"],
      2,
      /--allow-host: not a host name; use/,
    ],
  ];
  for (const [flags, exitCode, message] of cases) {
    const { code, stdout, stderr } = await runBinary(["serve", ...scenario.flags, ...flags]);
    assertEquals({ flags, code, stdout }, { flags, code: exitCode, stdout: "" }, stderr);
    assertMatch(stderr, message);
    assertMatch(stderr, /^aws_signing_helper: [^\n]+\n$/);
  }
  assertEquals(await Deno.readTextFile(file), "not a socket");
  assertEquals(scenario.emulator.requests.length, 0);
});

testWith(
  ["network-namespace"],
  "serve reports that this user may not listen on a privileged port",
  async () => {
    await using scenario = await SessionScenario.create();
    // In a network namespace where ports below 1024 are privileged, without the right to them.
    const wrapper = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-all"];
    const script = 'sysctl -qw net.ipv4.ip_unprivileged_port_start=1024 2>/dev/null; exec "$@"';
    const { code, stderr } = await runBinaryIn(
      ["unshare", "--map-root-user", "--net", "sh", "-c", script, "sh", ...wrapper],
      ["serve", ...scenario.flags, "--port=80"],
    );
    assertEquals(code, 1, stderr);
    assertStringIncludes(stderr, "127.0.0.1 port 80: this user may not listen there");
  },
);

async function runBinaryIn(wrapper: readonly string[], args: readonly string[]) {
  await using run = new RunningBinary(args, {}, [...wrapper]);
  const { code, stdout } = await run.end();
  return { code, stdout, stderr: run.lines.join("\n") };
}

for (const bind of ["::1", "[::1]", "127.0.0.2", "localhost"]) {
  testWith(bind.includes("::1") ? ["ipv6-loopback"] : [], `serve listens on ${bind}`, async () => {
    await using scenario = await SessionScenario.create();
    await using serve = await ServeProcess.start(scenario, ["--bind", bind]);
    const served = await (await serve.get(CREDENTIALS_PATH)).json();
    assertEquals(served.AccessKeyId, scenario.emulator.issued[0]?.accessKeyId);
    assertEquals((await serve.end()).code, 0);
  });
}

testWith(
  ["linux"],
  "serve does not replace anything but a regular file with its container token",
  async () => {
    await using scenario = await SessionScenario.create();
    const at = (name: string) => scenario.directory.join(name);
    const target = scenario.directory.write("target", "kept");
    Deno.symlinkSync(target, at("link"));
    Deno.symlinkSync(at("nothing"), at("dangling"));
    Deno.mkdirSync(at("folder"));
    using _socket = Deno.listen({ transport: "unix", path: at("socket") });
    await new Deno.Command("mkfifo", { args: [at("fifo")] }).output();
    const kinds = {
      link: "a symbolic link",
      dangling: "a symbolic link",
      folder: "a directory",
      socket: "not a regular file",
      fifo: "not a regular file",
    };
    for (const [name, kind] of Object.entries(kinds)) {
      const before = Deno.lstatSync(at(name));
      const { code, stderr } = await runBinary([
        ...["serve", ...scenario.flags, "--port=0", "--container-credentials"],
        `--container-token-file=${at(name)}`,
      ], { timeout: 30_000 });
      assertEquals([name, code], [name, 1], stderr);
      assertStringIncludes(
        stderr,
        `--container-token-file ${at(name)}: it is ${kind}; name another file\n`,
      );
      const after = Deno.lstatSync(at(name));
      assertEquals([name, after.ino, after.mode], [name, before.ino, before.mode]);
    }
    assertEquals(Deno.readTextFileSync(target), "kept");
  },
);

Deno.test("serve does not remove another server's container token when it stops", async () => {
  await using scenario = await SessionScenario.create();
  const file = scenario.directory.join("token");
  const flags = ["--container-credentials", "--container-token-file", file];
  await using first = await ServeProcess.start(scenario, flags);
  await using _second = await ServeProcess.start(scenario, flags);
  const token = Deno.readTextFileSync(file);
  assertEquals((await first.end("SIGTERM")).code, 0);
  assertEquals(Deno.readTextFileSync(file), token);
});

Deno.test("serve writes the token for container clients to a file, which is removed at the end", async () => {
  await using scenario = await SessionScenario.create();
  const file = scenario.directory.join("it's a token");
  await using serve = await ServeProcess.start(scenario, [
    "--container-credentials",
    "--container-token-file",
    relative(Deno.cwd(), file),
  ]);
  await serve.binary.waitForLine(/^export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/);
  const {
    AWS_CONTAINER_CREDENTIALS_FULL_URI: uri = "",
    AWS_CONTAINER_AUTHORIZATION_TOKEN: token,
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile,
  } = await serve.exported();
  assertEquals((Deno.statSync(file).mode ?? 0) & 0o777, 0o600);
  const authorization = await Deno.readTextFile(file);
  assert(!serve.binary.lines.join("\n").includes(authorization));
  assertEquals([tokenFile, token], [file, authorization]);
  const answer = await fetch(uri, { headers: { authorization } });
  assertEquals((await answer.json()).RoleArn, "arn:aws:iam::123456789012:role/Demo");
  const wrong = await fetch(uri, { headers: { authorization: `${authorization}x` } });
  assertEquals([wrong.status, await wrong.json()], [401, {
    code: "AccessDenied",
    message: "the Authorization header is not the token",
  }]);
  const without = await fetch(uri);
  assertEquals([without.status, await without.json()], [401, {
    code: "AccessDenied",
    message: "no Authorization header; clients that ignore " +
      "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE need AWS_CONTAINER_AUTHORIZATION_TOKEN",
  }]);
  assertEquals((await serve.end()).code, 0);
  assertEquals(
    [...Deno.readDirSync(scenario.directory.path)].some(({ name }) => name.includes("token")),
    false,
  );
});

for (const kind of ["path", "abstract"] as const) {
  Deno.test(`serve notifies systemd when it is ready and when it stops, by a socket with ${kind} name`, async () => {
    await using scenario = await SessionScenario.create();
    const name = kind === "path"
      ? scenario.directory.join("notify")
      : `@helper-${crypto.randomUUID()}`;
    const script = "import socket,sys\n" +
      "s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.settimeout(20)\n" +
      "s.bind(sys.argv[1].replace('@','\\0',1)); print('bound',flush=True)\n" +
      "for _ in range(2): print(s.recv(1000).decode(),flush=True)";
    await using listener = new Deno.Command(PYTHON, {
      args: ["-c", script, name],
      stdout: "piped",
    }).spawn();
    const reader = listener.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const nextMessage = async () => {
      let message: string | undefined = "";
      while (message === "") message = (await reader.read()).value?.trim();
      return message;
    };
    assertEquals(await nextMessage(), "bound");
    await using serve = await ServeProcess.start(scenario, [], { NOTIFY_SOCKET: name });
    assertEquals(await nextMessage(), "READY=1");
    assertEquals(serve.binary.lines.some((line) => line.includes("Ctrl-C")), false);
    assertEquals((await serve.end()).code, 0);
    assertEquals(await nextMessage(), "STOPPING=1");
    await reader.cancel();
  });
}

Deno.test("serve --debug logs every request as JSON, and no secret", async () => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario, ["--debug"]);
  const token = await serve.token(60);
  await (await serve.get(CREDENTIALS_PATH, token)).body?.cancel();
  const line = await serve.binary.waitForLine(/"event":"request".*security-credentials/);
  const entry = JSON.parse(line.replace(/^debug: /, ""));
  assertEquals(
    [entry.method, entry.path, entry.status, entry.client],
    ["GET", CREDENTIALS_PATH, 200, `127.0.0.1 user ${Deno.uid()}`],
  );
  await serve.binary.waitForLine(/"event":"refreshed"/);
  const text = serve.binary.lines.join("\n");
  const [issued] = scenario.emulator.issued;
  for (const secret of [token, issued?.secretAccessKey, issued?.sessionToken]) {
    assert(secret && !text.includes(secret));
  }
});

/** Sends a request with this Host header, and returns its status and body. */
async function askAs(
  serve: ServeProcess,
  host: string,
  path: string,
  flags: readonly string[] = [],
): Promise<[status: number, body: string]> {
  const { stdout } = await new Deno.Command("curl", {
    args: ["-s", "-H", `Host: ${host}`, "-w", "\n%{http_code}", ...flags, `${serve.url}${path}`],
  }).output();
  const lines = new TextDecoder().decode(stdout).split("\n");
  return [Number(lines.at(-1)), lines.slice(0, -1).join("\n")];
}

Deno.test("serve accepts the hosts of --allow-host, and refuses others with 403 and the flag's name", async () => {
  await using scenario = await SessionScenario.create();
  const token = scenario.directory.join("token");
  await using serve = await ServeProcess.start(
    scenario,
    ["--allow-host", "Host.Docker.Internal", "--allow-host=helper.default.svc"]
      .concat(["--container-credentials", "--container-token-file", token]),
  );
  const paths: [path: string, flags: readonly string[]][] = [
    ["/latest/api/token", ["-X", "PUT"]],
    [CREDENTIALS_PATH, ["-H", `x-aws-ec2-metadata-token: ${await serve.token()}`]],
    ["/role/Demo", ["-H", `Authorization: ${await Deno.readTextFile(token)}`]],
    ["/healthz", []],
  ];
  for (const [path, flags] of paths) {
    for (
      const host of [
        "host.docker.internal",
        `HOST.docker.internal.:${serve.port}`,
        "helper.default.svc",
        "169.254.169.254",
        "10.1.2.3:80",
        "::1",
        `[::1]:${serve.port}`,
        Deno.hostname(),
        `${Deno.hostname().toUpperCase()}.`,
      ]
    ) {
      const [status] = await askAs(serve, host, path, flags);
      assertEquals([path, host, status], [path, host, 200]);
    }
    for (const host of ["evil.example", "helper.default.svc.evil.example", "docker.internal"]) {
      const [status, body] = await askAs(serve, `${host}:80`, path, flags);
      assertEquals([path, host, status], [path, host, 403]);
      assertEquals(
        body,
        `Host ${host}: not a name of this endpoint; start serve with --allow-host ${host}`,
      );
    }
  }
});

Deno.test("serve reads the names of --allow-host from its variable, separated by commas or blanks", async () => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario, [], {
    AWS_SIGNING_HELPER_ALLOW_HOST: "host.docker.internal,helper helper.default.svc",
  });
  for (const host of ["host.docker.internal", "helper", "helper.default.svc"]) {
    assertEquals([host, (await askAs(serve, host, "/healthz"))[0]], [host, 200]);
  }
  assertEquals((await askAs(serve, "helper.default", "/healthz"))[0], 403);
});

Deno.test("serve collapses repeated slashes and treats version dates as latest, also for HEAD", async () => {
  await using scenario = await SessionScenario.create();
  await using serve = await ServeProcess.start(scenario);
  const headers = { "x-aws-ec2-metadata-token": await serve.token() };
  const credentials = CREDENTIALS_PATH.slice("/latest".length);
  const versions = ["/latest", "/2009-04-04", "/2021-07-15", "/1.0"];
  for (
    const path of versions.flatMap((version) => [
      version + credentials,
      version + credentials.replace(/\/Demo$/, "//Demo///"),
      `//${version}/${credentials.replaceAll("/", "//")}`,
    ])
  ) {
    const response = await fetch(serve.url + path, { headers });
    assertEquals([path, response.status], [path, 200]);
    assertMatch((await response.json()).AccessKeyId, /^ASIA/);
    const head = await fetch(serve.url + path, { method: "HEAD", headers });
    assertEquals([head.status, await head.text()], [200, ""]);
  }
  for (const version of versions) {
    const token = await fetch(`${serve.url}${version}//api/token/`, { method: "PUT" });
    assertEquals([token.status, (await token.text()).length], [200, 56]);
  }
  const unknown = await fetch(`${serve.url}/2009-4-4${credentials}`, { headers });
  assertEquals([unknown.status, await unknown.text()], [404, "not found"]);
});
