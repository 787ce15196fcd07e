import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { earlyVariables } from "../../packaging/base/environment.ts";
import { RUNTIME_VARIABLES } from "../../src/runtime/variables.ts";
import { BINARY, runProgram } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { RunningBinary } from "../support/running_binary.ts";
import { ServeProcess } from "../support/serve_process.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** The base binary that `make` embedded the program in. */
const BASE = fileURLToPath(
  new URL(`../../build/toolchain/base-${Deno.build.target}`, import.meta.url),
);
/** System calls that open files, connect and listen. */
const CALLS = "trace=openat,open,creat,connect,bind,listen";

/** Constants in the base binary whose names look like variables of these families. */
const CONSTANTS =
  /^(NODE_(CLO|CREATE_INFO|MODULES_TYPE_STRIPPING|PENDING_PIPE_INSTANCES|PERFORMANCE_ENTRY_TYPE|TYPE_ERR|HANDLE|VERSION)|OTEL_(API_COMPAT_VERSION|CONSOLE_METHODS)|SSL_CERT_[A-Z]+_)/;
const FAMILIES = /(?:DENO|NODE|OTEL|RUST|RAYON|TOKIO|SIMDUTF|SSL_CERT)_[A-Z0-9_]+|SSLKEYLOGFILE/g;

testWith(["binary"], "every variable that the base binary names is in the table", async () => {
  const text = withNamesRestored(await Deno.readFile(BASE));
  const names = Object.keys(RUNTIME_VARIABLES).toSorted((a, b) => b.length - a.length);
  const found = new Set([...text.matchAll(FAMILIES)].map(([name]) => name));
  assert(found.size > 50, `${found.size} names`);
  for (const token of found) {
    // The compiler joins texts: anything may follow a name.
    let rest = token;
    for (let name; (name = names.find((name) => rest.startsWith(name)));) {
      rest = rest.slice(name.length);
    }
    const isKnown = rest !== token || CONSTANTS.test(token) ||
      names.some((name) => token.endsWith(name));
    assert(isKnown, `${token} is not in src/runtime/variables.ts`);
  }
});

function withNamesRestored(base: Uint8Array): string {
  let text = new TextDecoder("latin1").decode(base);
  for (const [name, { handling }] of Object.entries(RUNTIME_VARIABLES)) {
    if (handling === "renamed") text = text.replaceAll(`\0${name.slice(1)}`, name);
  }
  return text;
}

testWith(["binary"], "the base binary cannot read the variables that are renamed", async () => {
  const text = new TextDecoder("latin1").decode(await Deno.readFile(BASE));
  for (const name of earlyVariables(Deno.build.target)) {
    // JavaScript, which runs later, may have the same text.
    assert(RUNTIME_VARIABLES[name]?.reader || !text.includes(name), name);
    assert(text.includes(`\0${name.slice(1)}`), name);
  }
});

/** Values that a runtime could fail on before the program's first line. */
const STRANGE_VALUES = [
  "",
  "-1",
  "9".repeat(30),
  "relative",
  "a".repeat(300),
  "en-".repeat(100),
  "a_b@c=d;".repeat(60),
  "%s%n".repeat(50),
  `/${"x".repeat(4000)}`,
];

testWith(
  ["binary"],
  "no value of a variable of the runtime ends the program at startup",
  async () => {
    const names = Object.keys(RUNTIME_VARIABLES);
    const { version } = config;
    for (const value of STRANGE_VALUES) {
      const env = Object.fromEntries(names.map((name) => [name, value]));
      const { code, stdout, stderr } = await runProgram(BINARY, ["version"], { env });
      assertEquals(
        { code, stdout, stderr },
        { code: 0, stdout: `${version}\n`, stderr: "" },
        value,
      );
    }
  },
);

/** Runs the program with variables whose value is `secret` and the byte FF. */
function runWithoutUtf8(names: readonly string[], args: readonly string[]) {
  const script = `for name in ${names.join(" ")}; do export "$name=$(printf 'secret\\377')"; done
    exec "$0" "$@"`;
  return runProgram("sh", ["-c", script, BINARY, ...args]);
}

testWith(
  ["linux", "binary"],
  "a variable that is not UTF-8 is an error only if it is used",
  async () => {
    // Node's part of the runtime decodes NODE_OPTIONS before the program's first line.
    const names = Object.keys(RUNTIME_VARIABLES).filter((name) => name !== "NODE_OPTIONS");
    const unused = await runWithoutUtf8(names, ["version"]);
    assertEquals([unused.code, unused.stderr], [0, ""]);

    const sign = ["sign-string", "--private-key"];
    const key = await runWithoutUtf8(["KEY"], [...sign, "env:KEY"]);
    assertEquals([key.code, key.stderr.includes("env:KEY: it is neither PEM nor DER")], [3, true]);

    const session = [
      "credential-process",
      "--certificate=/nonexistent",
      "--private-key=/nonexistent",
    ];
    const uses: readonly (readonly [string, readonly string[]])[] = [
      ["AWS_CONFIG_FILE", session],
      ["AWS_SIGNING_HELPER_ROLE_ARN", session],
      ["TPM_DEVICE", [...sign, "handle:0x81000000"]],
      ["AWS_SIGNING_HELPER_PRIVATE_KEY", ["doctor"]],
    ];
    for (const [name, args] of uses) {
      const { code, stdout, stderr } = await runWithoutUtf8([name], args);
      const message = `${name}: the variable is not UTF-8 text; correct or unset it`;
      assertEquals({ code, stdout, stderr }, {
        code: 2,
        stdout: "",
        stderr: `aws_signing_helper: ${message}\n`,
      });
    }
  },
);

/** A trap: a listener and a path that the program must not use. */
class Trap implements AsyncDisposable {
  connections = 0;
  readonly #directory = new TemporaryDirectory();
  readonly #listeners: readonly Deno.Listener<Deno.Conn>[];

  constructor() {
    const tcp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const unix = Deno.listen({ transport: "unix", path: this.socket });
    this.#listeners = [tcp, unix];
    this.url = `http://127.0.0.1:${tcp.addr.port}`;
    for (const listener of this.#listeners) void this.#count(listener);
  }

  readonly url: string;

  get socket(): string {
    return this.#directory.join("trap.sock");
  }

  get file(): string {
    return this.#directory.join("trap-file");
  }

  /** Names in the trap's folder. */
  get files(): string[] {
    return Array.from(Deno.readDirSync(this.#directory.path), ({ name }) => name).toSorted();
  }

  async #count(listener: Deno.Listener<Deno.Conn>): Promise<void> {
    for await (const connection of listener) {
      this.connections += 1;
      connection.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.forEach((listener) => listener.close());
    this.#directory[Symbol.dispose]();
    return Promise.resolve();
  }
}

/** Values that would change the runtime; by default a path that must not be opened. */
function hostileValues(name: string, trap: Trap): readonly string[] {
  if (/^(HTTPS?|ALL)_PROXY$/i.test(name)) return [trap.url];
  if (/^OTEL_.*(ENDPOINT|VSOCK)$|LSC_ENDPOINT$/.test(name)) return [trap.url];
  if (/^DENO_TOKIO_.*(INTERVAL|TICK)$/.test(name)) return ["0"];
  return HOSTILE[name]?.(trap) ?? [trap.file];
}

const HOSTILE: Readonly<Record<string, (trap: Trap) => readonly string[]>> = {
  DENO_SERVE_ADDRESS: () => [
    "tcp:0.0.0.0:0",
    "duplicate,tcp:0.0.0.0:0",
    "vsock:-1:9911",
    "unix:",
    "nonsense",
  ],
  DENO_UNSTABLE_CRON_SOCK: ({ socket }) => [`unix:${socket}`],
  DENO_LOG: () => ["trace"],
  DENO_LOG_STYLE: () => ["always"],
  DENO_TOKIO_METRICS: () => ["1"],
  DENO_USE_CGROUPS: () => ["1"],
  DENO_USR2_MEMORY_TRIM: () => ["1"],
  DENO_TRACE_PERMISSIONS: () => ["1"],
  DENO_TRUST_PROXY_HEADERS: () => ["1"],
  DENO_UNSTABLE_FFI_TRACE_TURBO: () => ["1"],
  DENO_USE_WRITEVP: () => ["1"],
  NODE_CHANNEL_FD: () => ["1"],
  NODE_DEBUG: () => ["*"],
  NODE_OPTIONS: ({ file }) => [`--require=${file}`],
  NO_PROXY: () => ["*"],
  no_proxy: () => ["*"],
  RUST_MIN_STACK: () => ["99999999999999"],
  RUST_BACKTRACE: () => ["full"],
  SIMDUTF_FORCE_IMPLEMENTATION: () => ["nothing"],
  FORCE_COLOR: () => ["1"],
  CLICOLOR_FORCE: () => ["1"],
};

/** Exit code of all commands if it is not 0. */
const EXIT_CODES: Readonly<Record<string, number>> = { SSLKEYLOGFILE: 2, SSL_CERT_FILE: 2 };

/** Variables whose file may be opened, because the user sets them. */
const OPENED: readonly string[] = ["SSL_CERT_FILE", "TZ"];

/** Variables with one effect are tested together, because each run takes time. */
function groups(): readonly (readonly string[])[] {
  const byEffect = new Map<string, string[]>();
  for (const [name, { handling, effect }] of Object.entries(RUNTIME_VARIABLES)) {
    const isAlone = name in EXIT_CODES || OPENED.includes(name) || handling === "renamed";
    const key = isAlone ? name : effect;
    byEffect.set(key, [...byEffect.get(key) ?? [], name]);
  }
  return [...byEffect.values()];
}

/** Result of a run. */
interface Deeds {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly calls: string;
}

/** Removes text that differs between any two runs. */
function plain(text: string): string {
  return text.replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z/g, "TIME").replaceAll(/\bport \d+/g, "port N")
    .replaceAll(/:\d+\/?$/gm, ":N");
}

testWith(
  // root: serve and update are not dumpable, so only root sees their descriptors.
  ["linux", "root", "binary", "strace"],
  "no variable of the runtime steers credential-process, update or serve",
  async (t) => {
    await using scenario = await SessionScenario.create();
    await using trap = new Trap();
    using directory = new TemporaryDirectory();
    const flags = [...scenario.flags, "--with-proxy=false"];
    const credentials = directory.join("credentials");
    const servicePort = new URL(scenario.emulator.url).port;
    let runs = 0;

    const trace = async (args: readonly string[], env: Record<string, string>): Promise<Deeds> => {
      runs += 1;
      const log = directory.join(`trace-${runs}`);
      const options = ["-D", "-f", "--seccomp-bpf", "-q", "-e", CALLS, "-e", "signal=none"];
      const wrapper = ["strace", ...options, "-o", log];
      const all = { AWS_SHARED_CREDENTIALS_FILE: credentials, ...env };
      if (args[0] !== "serve") {
        const [command = "", ...rest] = [...wrapper, BINARY, ...args];
        const { code, stdout, stderr } = await runProgram(command, rest, { env: all });
        return { code, stdout, stderr, calls: await readSettled(log) };
      }
      await using run = new RunningBinary(args, all, wrapper);
      const ready = await run.waitForLine(/^export AWS_EC2_METADATA_SERVICE_ENDPOINT=/).catch(() =>
        ""
      );
      if (ready) {
        const listening = await listeningAddresses(run.pid);
        assertEquals(listening, [`127.0.0.1:${new URL(ready.replace(/^[^=]*=/, "")).port}`]);
        run.kill("SIGTERM");
      }
      const { code, stdout } = await run.end();
      return { code, stdout, stderr: run.lines.join("\n"), calls: await readSettled(log) };
    };

    const commands: Readonly<Record<string, readonly string[]>> = {
      "credential-process": ["credential-process", ...flags],
      "update": ["update", "--once", ...flags],
      "serve": ["serve", "--port=0", ...flags],
    };
    const usual: Record<string, Deeds> = {};
    for (const [name, args] of Object.entries(commands)) {
      usual[name] = await trace(args, {});
      assertEquals(usual[name].code, 0, usual[name].stderr);
    }
    for (const names of groups()) {
      await t.step(names.join(", "), async () => {
        const [first = "", ...others] = names;
        const rest = Object.fromEntries(
          others.map((name) => [name, hostileValues(name, trap)[0] ?? ""]),
        );
        for (const value of hostileValues(first, trap)) {
          const results = await Promise.all(
            Object.entries(commands).map(async ([command, args]) => ({
              command,
              deeds: await trace(args, { ...rest, [first]: value }),
            })),
          );
          for (const { command, deeds } of results) {
            const expected = EXIT_CODES[first] ?? 0;
            assertEquals(deeds.code, expected, `${command} ${first}=${value}: ${deeds.stderr}`);
            if (expected === 0) {
              assertEquals(plain(deeds.stderr), plain(usual[command]?.stderr ?? ""));
              assertEquals(deeds.stdout === "", usual[command]?.stdout === "");
              if (command === "credential-process") JSON.parse(deeds.stdout);
            }
            const strange = deeds.calls.split("\n").filter((line) =>
              isStrange(line, trap, servicePort) && !OPENED.includes(first)
            );
            assertEquals(strange, [], `${command} ${first}=${value}`);
          }
        }
        assertEquals([trap.connections, trap.files], [0, ["trap.sock"]]);
      });
    }
  },
);

/** Returns the trace when it is complete: strace ends after the program. */
async function readSettled(path: string): Promise<string> {
  for (let tries = 0; tries < 1500; tries++) {
    const text = await Deno.readTextFile(path).catch(() => "");
    const [first = ""] = text.split(" ", 1);
    if (first !== "" && new RegExp(`^${first} .*\\+\\+\\+ (exited|killed)`, "m").test(text)) {
      return text;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return await Deno.readTextFile(path);
}

/** Finds calls that name the trap, or connect or listen elsewhere. */
function isStrange(line: string, trap: Trap, servicePort: string): boolean {
  if (line.includes(trap.file) || line.includes(trap.socket)) return true;
  if (line.includes(`htons(${new URL(trap.url).port})`)) return true;
  if (line.includes("connect(")) {
    const isResolver = /sun_path="\/var\/run\/nscd|AF_UNSPEC|htons\((53|0)\)/.test(line);
    return !isResolver && !line.includes(`htons(${servicePort})`) && line.includes("AF_INET");
  }
  return line.includes("bind(") && line.includes("AF_INET") &&
    !line.includes('inet_addr("127.0.0.1")');
}

/** Returns the addresses on which a process listens, from the kernel's tables. */
async function listeningAddresses(pid: number): Promise<string[]> {
  const own = new Set<string>();
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode !== undefined) own.add(inode);
  }
  const found: string[] = [];
  for (const table of ["tcp", "tcp6"]) {
    const lines = (await Deno.readTextFile(`/proc/${pid}/net/${table}`)).trim().split("\n");
    for (const line of lines.slice(1)) {
      const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
      if (state !== "0A" || !own.has(inode)) continue;
      const [address = "", port = ""] = local.split(":");
      const bytes = address.match(/../g)?.toReversed().map((byte) => parseInt(byte, 16)) ?? [];
      found.push(`${table === "tcp" ? bytes.join(".") : address}:${parseInt(port, 16)}`);
    }
  }
  const unix = (await Deno.readTextFile(`/proc/${pid}/net/unix`)).trim().split("\n");
  for (const line of unix.slice(1)) {
    const [, , , flags, , , inode = "", path = ""] = line.trim().split(/\s+/);
    if (flags === "00010000" && own.has(inode)) found.push(path);
  }
  return found;
}

testWith(
  ["binary"],
  "serve takes no header for a client's address, whatever DENO_TRUST_PROXY_HEADERS holds",
  async () => {
    await using scenario = await SessionScenario.create();
    await using serve = await ServeProcess.start(scenario, ["--debug"], {
      DENO_TRUST_PROXY_HEADERS: "1",
    });
    const answer = await fetch(`${serve.url}/latest/api/token`, {
      method: "PUT",
      headers: { "x-deno-client-address": "tcp:203.0.113.7:4711" },
    });
    assertEquals([answer.status, (await answer.text()).length > 0], [200, true]);
    const line = await serve.binary.waitForLine(/"event":"request"/);
    assert(line.includes('"client":"127.0.0.1'), line);
    assertEquals((await serve.end()).code, 0);
  },
);

testWith(["binary"], "an empty SSL_CERT_FILE counts as not given", async () => {
  await using scenario = await SessionScenario.create();
  const { code, stderr } = await runProgram(BINARY, ["credential-process", ...scenario.flags], {
    env: { SSL_CERT_FILE: "" },
  });
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
});
