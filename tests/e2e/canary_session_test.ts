import { assertEquals } from "@std/assert";
import { runBinary } from "../support/binary.ts";
import { SecretWindows } from "../support/secret_windows.ts";
import { CREDENTIALS_PATH, ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";

interface Session {
  readonly SecretAccessKey: string;
  readonly SessionToken?: string;
  readonly Token?: string;
}

const secretsOf = (session: Session) =>
  new SecretWindows().addText("the secret key", session.SecretAccessKey)
    .addText("the session token", session.SessionToken ?? session.Token ?? "");

Deno.test("credential-process and update write the session to their output only", async () => {
  await using scenario = await SessionScenario.create();
  const { directory, flags } = scenario;
  const folder = directory.join("run");
  Deno.mkdirSync(`${folder}/tmp`, { recursive: true });
  const env = { HOME: folder, TMPDIR: `${folder}/tmp` };
  const args = ["credential-process", "--debug", ...flags];
  const cached = [...args, "--cache", "--cache-dir", directory.join("cache")];
  for (const command of [args, cached, cached]) {
    const { code, stdout, stderr } = await runBinary(command, { env });
    assertEquals(code, 0, stderr);
    assertEquals(secretsOf(JSON.parse(stdout)).findIn(stderr), undefined);
    assertEquals([...Deno.readDirSync(env.TMPDIR)], []);
  }
  const file = directory.join("credentials");
  const { code, stdout, stderr } = await runBinary(
    ["update", "--once", "--debug", ...flags],
    { env: { ...env, AWS_SHARED_CREDENTIALS_FILE: file } },
  );
  const setting = (name: string) =>
    new RegExp(`^${name} = (.*)$`, "m").exec(Deno.readTextFileSync(file))?.[1] ?? "";
  const secrets = secretsOf({
    SecretAccessKey: setting("aws_secret_access_key"),
    SessionToken: setting("aws_session_token"),
  });
  assertEquals([code, secrets.findIn(stdout + stderr)], [0, undefined]);
});

for (
  const failure of ["access-denied", "missing-fields", "bad-expiration", "wrong-json"] as const
) {
  Deno.test(`no message contains a rejected session (${failure})`, async () => {
    await using scenario = await SessionScenario.create();
    const known = await runBinary(["credential-process", ...scenario.flags]);
    const secrets = secretsOf(JSON.parse(known.stdout));
    scenario.emulator.fail(failure);
    for (const command of ["credential-process", "update", "serve"]) {
      const more = command === "update" ? ["--once"] : command === "serve" ? ["--port=0"] : [];
      const { code, stdout, stderr } = await runBinary(
        [command, "--debug", ...more, ...scenario.flags],
        { env: { AWS_SHARED_CREDENTIALS_FILE: scenario.directory.join("credentials") } },
      );
      assertEquals([code === 0, secrets.findIn(stdout + stderr)], [false, undefined]);
    }
  });
}

Deno.test("serve --debug does not log the session, its tokens or the container token", async () => {
  await using scenario = await SessionScenario.create();
  const file = scenario.directory.join("container-token");
  await using serve = await ServeProcess.start(scenario, [
    ...["--debug", "--container-credentials", "--container-token-file", file],
  ]);
  const token = await serve.token();
  const session: Session = await (await serve.get(CREDENTIALS_PATH, token)).json();
  const containerToken = Deno.readTextFileSync(file);
  const authorized = await fetch(`${serve.url}/role/Demo`, {
    headers: { authorization: containerToken },
  });
  assertEquals(authorized.status, 200, await authorized.text());
  const wrong = await fetch(`${serve.url}/role/Demo`, {
    headers: { authorization: `${containerToken}x` },
  });
  assertEquals(wrong.status === 200, false);
  const answer = await wrong.text();
  await (await serve.get(CREDENTIALS_PATH, `${token.slice(1)}x`)).body?.cancel();
  serve.binary.kill("SIGTERM");
  const { code, stdout } = await serve.binary.end();
  const secrets = secretsOf(session).addText("the token", token)
    .addText("the container token", containerToken.trim());
  const said = `${stdout}${answer}${serve.binary.lines.join("\n")}`;
  assertEquals([code, secrets.findIn(said)], [0, undefined]);
});
