/**
 * Program that a test runs in a network namespace of its own. It runs `serve` on 169.254.169.254 by
 * way of the systemd unit or of the redirect in src/imds/README.md. Programs that know no variable
 * ask it. It prints JSON.
 *
 * Argument: `unit` or `redirect`.
 */
import { RunningBinary } from "./running_binary.ts";
import { runProgram } from "./binary.ts";
import { blocks, readDocument } from "./documents.ts";
import { must, ROOT } from "./release.ts";
import { CREDENTIALS_PATH } from "./serve_process.ts";
import { SessionScenario } from "./session_scenario.ts";
import { PYTHON } from "./tools.ts";

const ADDRESS = "169.254.169.254";
const BOTO3 = "import boto3; c = boto3.Session().get_credentials(); " +
  "print(c.access_key, c.method)";
/** Rights of a service with this capability only: uid 0 without others is as weak as any user. */
const ONLY_PORT_80 = [
  "setpriv",
  "--bounding-set=-all,+net_bind_service",
  "--inh-caps=-all,+net_bind_service",
];
const NO_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];

/** Returns the commands after `NAME=` in the unit, without their prefixes. */
function unitCommands(name: string): string[] {
  const unit = Deno.readTextFileSync(
    `${ROOT}packaging/systemd/aws-signing-helper-metadata.service`,
  );
  return [...unit.matchAll(new RegExp(`^${name}=[-+]*(.+)$`, "gm"))].map(([, line = ""]) => line);
}

async function shell(script: string): Promise<string> {
  return await must("sh", ["-ec", script]);
}

/** Starts a network with one neighbour, 10.9.9.2. Returns a function that runs a command there. */
async function startNeighbour() {
  const neighbour = new Deno.Command("unshare", {
    args: ["--net", "sh", "-c", "echo started; exec sleep 600"],
    stdout: "piped",
  }).spawn();
  const reader = neighbour.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const inside = ["nsenter", "--net", `--target=${neighbour.pid}`];
  await shell(`ip link add v0 type veth peer name v1
    ip link set v1 netns ${neighbour.pid}
    ip address add 10.9.9.1/24 dev v0
    ip link set v0 up
    set -- ${inside.join(" ")}
    "$@" ip address add 10.9.9.2/24 dev v1
    "$@" ip link set v1 up
    "$@" ip route add ${ADDRESS}/32 dev v1`);
  return {
    run: (args: readonly string[]) => {
      const [program = "", ...rest] = [...inside, ...args];
      return runProgram(program, rest);
    },
    async [Symbol.asyncDispose]() {
      neighbour.kill("SIGKILL");
      await neighbour.status;
    },
  };
}

/** Returns the status of a response from loopback that only the document's redirect and route reach. */
async function askWithoutNetwork(rules: string, route: string): Promise<string> {
  const script = `ip link set lo up
    nft -f - <<'EOF'\n${rules}EOF
    ${route}
    "$0" -m http.server 9911 --bind 127.0.0.1 >/dev/null 2>&1 &
    server=$!
    trap 'kill $server' EXIT
    curl -s -o /dev/null --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:9911/
    curl -s -o /dev/null -w '%{http_code}' --max-time 20 http://${ADDRESS}/ || true`;
  return await must("unshare", ["--net", "sh", "-ec", script, PYTHON]);
}

async function ask(
  run: (args: readonly string[]) => Promise<{ code: number; stdout: string }>,
  path = "/healthz",
) {
  const { code, stdout } = await run(
    ["curl", "-s", "--max-time", "20", "-w", " %{http_code}", `http://${ADDRESS}${path}`],
  );
  return code === 0 ? stdout : `curl ended with ${code}`;
}

const [way = ""] = Deno.args;
await shell("ip link set lo up");
await using scenario = await SessionScenario.create();
await using neighbour = await startNeighbour();
const flags: string[] = [];
let withoutNetwork: string | undefined;
if (way === "unit") {
  for (const command of unitCommands("ExecStartPre")) await shell(command);
  const [start = ""] = unitCommands("ExecStart");
  flags.push(...(/ serve (.*) --certificate /.exec(start)?.[1] ?? "").split(" "));
} else {
  const document = "src/imds/README.md";
  const [redirect = ""] = blocks(document, "redirect");
  const [, rules = ""] = /^sudo nft -f - <<'EOF'\n(.*?)^EOF$/ms.exec(redirect) ?? [];
  const [, route = ""] = /`(ip route add 169\.254[^`]+)`/.exec(readDocument(document)) ?? [];
  withoutNetwork = await askWithoutNetwork(rules, route);
  await shell(`ip route add default via 10.9.9.2; nft -f - <<'EOF'\n${rules}EOF\n`);
}
const rights = way === "unit" ? ONLY_PORT_80 : NO_RIGHTS;
await using serve = new RunningBinary(
  ["serve", ...scenario.flags, ...flags, "--metrics"],
  {},
  rights,
);
await serve.waitForLine(/^export AWS_EC2_METADATA_SERVICE_ENDPOINT=/);

const local = ([program = "", ...args]: readonly string[]) => runProgram(program, args);
const boto3 = await runProgram(PYTHON, ["-c", BOTO3], {
  env: { AWS_EC2_METADATA_V1_DISABLED: "true", AWS_CONFIG_FILE: "/nonexistent" },
});
const aliases = await shell(
  `token=$(curl -sX PUT http://${ADDRESS}/latest/api/token)
   for path in ${CREDENTIALS_PATH} ${CREDENTIALS_PATH.replace("latest", "2009-04-04")}; do
     curl -s -o /dev/null -w '%{http_code} ' -H "x-aws-ec2-metadata-token: $token" \
       "http://${ADDRESS}$path"
   done`,
);
const report = {
  boto3: boto3.stdout.trim() || boto3.stderr,
  issued: scenario.emulator.issued[0]?.accessKeyId,
  statuses: aliases.trim(),
  here: (await ask(local)).replace(/^.* /s, ""),
  // From the machine's other address, which is still this machine.
  hereByOtherAddress:
    (await ask(([program = "", ...args]) =>
      runProgram(program, ["--interface", "10.9.9.1", ...args])
    )).replace(/^.* /s, ""),
  ...(withoutNetwork === undefined ? {} : { withoutNetwork }),
  neighbour: await ask((args) => neighbour.run(args)),
  neighbourMetrics: (await ask((args) => neighbour.run(args), "/metrics")).replace(/^.* /s, ""),
  refused: (await ask(local, "/metrics")).match(/\{code="403",path="\w+"\} \d+/g) ?? [],
};
serve.kill("SIGTERM");
const { code } = await serve.end();
for (const command of way === "unit" ? unitCommands("ExecStopPost") : []) await shell(command);
const left = (await shell("ip -oneline address show dev lo")).includes(ADDRESS);
await Deno.stdout.write(new TextEncoder().encode(JSON.stringify({ ...report, code, left })));
