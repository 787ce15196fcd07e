/**
 * Program that a test runs in a network namespace of its own. It runs `serve --allow-user` at
 * 169.254.169.254 on the loopback interface, and at 127.0.0.1 with the redirect of
 * src/imds/README.md. Two users ask for a token. It prints their statuses as JSON.
 */
import { runProgram } from "./binary.ts";
import { blocks } from "./documents.ts";
import { must } from "./release.ts";
import { RunningBinary } from "./running_binary.ts";
import { SessionScenario } from "./session_scenario.ts";

const ADDRESS = "169.254.169.254";
/** Numbers of users without a name. */
const USERS = [64_101, 64_102] as const;

async function statuses(url: string): Promise<string[]> {
  return await Promise.all(USERS.map(async (user) => {
    const { stdout } = await runProgram("setpriv", [
      ...[`--reuid=${user}`, `--regid=${user}`, "--clear-groups", "curl", "-s", "-o", "/dev/null"],
      ...["--max-time", "20", "-w", "%{http_code}", "-X", "PUT", `${url}/latest/api/token`],
    ], { cwd: "/" });
    return stdout;
  }));
}

async function serving<T>(
  scenario: SessionScenario,
  flags: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  await using serve = new RunningBinary(
    ["serve", ...scenario.flags, ...flags, `--allow-user=${USERS[0]}`],
    {},
  );
  await serve.waitForLine(/^export AWS_EC2_METADATA_SERVICE_ENDPOINT=/);
  return await work();
}

await must("ip", ["link", "set", "lo", "up"]);
await using scenario = await SessionScenario.create();
const [redirect = ""] = blocks("src/imds/README.md", "redirect");
const [, rules = ""] = /^sudo nft -f - <<'EOF'\n(.*?)^EOF$/ms.exec(redirect) ?? [];
await must("sh", [
  "-ec",
  `ip route add ${ADDRESS}/32 dev lo src 127.0.0.1; nft -f - <<'EOF'\n${rules}EOF\n`,
]);
const withRedirect = await serving(scenario, ["--port=9911"], async () => ({
  redirected: await statuses(`http://${ADDRESS}`),
  direct: await statuses("http://127.0.0.1:9911"),
}));
await must("sh", [
  "-ec",
  `nft delete table ip aws_signing_helper
   ip route del ${ADDRESS}/32 dev lo
   ip address replace ${ADDRESS}/32 dev lo scope host`,
]);
const bind = ["--bind", ADDRESS, "--port=80", "--hop-limit=1"];
const fixed = await serving(scenario, bind, () => statuses(`http://${ADDRESS}`));
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify({ ...withRedirect, fixed })));
