/**
 * SPIRE's own server and agent, started in a temporary folder. Tests that use them need `spire`.
 *
 * @module
 */
import { type Result, runProgram } from "./binary.ts";
import type { CertificateFiles } from "./certificates.ts";
import { endProcess } from "./end_process.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";
import { compiledClient } from "./tools.ts";
import { freePort } from "./free_port.ts";

/** Trust domain of the server. */
export const TRUST_DOMAIN = "example.org";

const NODE_ID = `spiffe://${TRUST_DOMAIN}/node`;
/** Timeout for a program to become ready, milliseconds. */
const READY_TIMEOUT = 60_000;

/** Registration entry of a workload. */
export interface Entry {
  readonly id: string;
  readonly uid: number;
  /** Lifetime of its SVIDs, seconds; the agent renews them at half of it. */
  readonly seconds: number;
}

/** Options of a server. */
export interface SpireOptions {
  /** Authority that signs the server's own; absent: the server's is self-signed. */
  readonly upstream?: CertificateFiles;
  readonly entries: readonly Entry[];
}

/** Server and agent. The agent can be ended and started again. */
export class Spire implements AsyncDisposable {
  readonly #directory: TemporaryDirectory;
  #server: Deno.ChildProcess | undefined;
  #agent: Deno.ChildProcess | undefined;

  private constructor() {
    this.#directory = new TemporaryDirectory("aws-signing-helper-spire-");
  }

  /** Starts both, and waits until the agent has the SVIDs of this user's entries. */
  static async start({ upstream, entries }: SpireOptions): Promise<Spire> {
    const spire = new Spire();
    try {
      await spire.#startServer(upstream);
      for (const entry of entries) await spire.createEntry(entry);
      const token = await spire.#control("token", "generate", "-spiffeID", NODE_ID);
      await spire.startAgent(/Token: (\S+)/.exec(token)?.[1]);
      const own = entries.filter(({ uid }) => uid === Deno.uid());
      await spire.waitForIds(own.map(({ id }) => id));
      return spire;
    } catch (thrown) {
      await spire[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** Path of the agent's socket. */
  get socket(): string {
    return this.#directory.join("agent.sock");
  }

  /** URI of the agent's socket, as SPIFFE_ENDPOINT_SOCKET has it. */
  get address(): string {
    return `unix://${this.socket}`;
  }

  async createEntry({ id, uid, seconds }: Entry): Promise<void> {
    const ttl = ["-x509SVIDTTL", String(seconds)];
    const selector = ["-selector", `unix:uid:${uid}`];
    await this.#control(
      "entry",
      "create",
      ...["-parentID", NODE_ID, "-spiffeID", id, ...selector, ...ttl],
    );
  }

  /** Returns the authorities of the trust domain, PEM. */
  async bundle(): Promise<string> {
    return await this.#control("bundle", "show", "-format", "pem");
  }

  /** Starts the agent. It needs a token for its first start only. */
  async startAgent(token?: string): Promise<void> {
    const join = token === undefined ? [] : ["-joinToken", token];
    this.#agent = this.#spawn("agent", [
      "run",
      ...["-config", this.#directory.join("agent.conf"), ...join],
    ]);
    await this.#waitFor("the agent", this.#agent, async () => {
      const args = ["healthcheck", "-socketPath", this.socket];
      return (await this.#run("spire-agent", args)).code === 0;
    });
  }

  /** Ends the agent. SIGTERM removes its socket, SIGKILL leaves it. */
  async endAgent(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#agent?.kill(signal);
    await this.#agent?.status;
  }

  /** Waits until SPIRE's own client gets these identities. */
  async waitForIds(ids: readonly string[]): Promise<void> {
    await this.#waitFor("the identities", this.#agent, async () => {
      const { stdout } = await this.#run("spire-agent", [
        "api",
        "fetch",
        "x509",
        ...["-socketPath", this.socket, "-timeout", "3s"],
      ]);
      const found = [...stdout.matchAll(/^SPIFFE ID:\s*(\S+)/gm)].map(([, id]) => id);
      return ids.every((id) => found.includes(id));
    });
  }

  /** Returns the certificates of an identity, PEM, as SPIRE's own client writes them. */
  async certificates(id: string): Promise<string> {
    using directory = new TemporaryDirectory();
    const write = ["-socketPath", this.socket, "-write", directory.path];
    const { stdout } = await this.#run("spire-agent", ["api", "fetch", "x509", ...write]);
    const ids = [...stdout.matchAll(/^SPIFFE ID:\s*(\S+)/gm)].map(([, found]) => found);
    return Deno.readTextFileSync(directory.join(`svid.${ids.indexOf(id)}.pem`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [this.#agent, this.#server]) if (child) await endProcess(child);
    this.#directory[Symbol.dispose]();
  }

  async #startServer(upstream: CertificateFiles | undefined): Promise<void> {
    // Users of other tests connect to the agent.
    Deno.chmodSync(this.#directory.path, 0o755);
    const port = freePort();
    const folder = (name: string) => {
      Deno.mkdirSync(this.#directory.join(name), { mode: 0o700 });
      return this.#directory.join(name);
    };
    const [serverData, agentData] = [folder("server"), folder("agent")];
    const authority = upstream
      ? `UpstreamAuthority "disk" { plugin_data {
          cert_file_path = "${upstream.certificatePath}"
          key_file_path = "${upstream.keyPath}" } }`
      : "";
    const server = this.#directory.write(
      "server.conf",
      `server {
        bind_address = "127.0.0.1"
        bind_port = "${port}"
        socket_path = "${this.#directory.join("server.sock")}"
        trust_domain = "${TRUST_DOMAIN}"
        data_dir = "${serverData}"
        log_level = "WARN"
        ca_ttl = "24h"
      }
      plugins {
        DataStore "sql" { plugin_data {
          database_type = "sqlite3"
          connection_string = "${serverData}/db.sqlite3" } }
        NodeAttestor "join_token" { plugin_data {} }
        KeyManager "memory" { plugin_data {} }
        ${authority}
      }\n`,
    );
    this.#directory.write(
      "agent.conf",
      `agent {
        data_dir = "${agentData}"
        log_level = "WARN"
        trust_domain = "${TRUST_DOMAIN}"
        server_address = "127.0.0.1"
        server_port = ${port}
        socket_path = "${this.socket}"
        insecure_bootstrap = true
        experimental { sync_interval = "1s" }
      }
      plugins {
        NodeAttestor "join_token" { plugin_data {} }
        KeyManager "disk" { plugin_data { directory = "${agentData}" } }
        WorkloadAttestor "unix" { plugin_data {} }
      }\n`,
    );
    this.#server = this.#spawn("server", ["run", "-config", server]);
    await this.#waitFor("the server", this.#server, async () => {
      const args = ["healthcheck", "-socketPath", this.#directory.join("server.sock")];
      return (await this.#run("spire-server", args)).code === 0;
    });
  }

  #spawn(name: "agent" | "server", args: readonly string[]): Deno.ChildProcess {
    const quoted = [`${FOLDER}spire-${name}`, ...args].map((arg) => `'${arg}'`).join(" ");
    return new Deno.Command("sh", {
      args: ["-c", `exec ${quoted} >>'${this.#directory.join(`${name}.log`)}' 2>&1`],
      clearEnv: true,
      env: this.#environment,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  async #control(...args: [group: string, command: string, ...flags: string[]]): Promise<string> {
    const [group, command, ...flags] = args;
    const socket = ["-socketPath", this.#directory.join("server.sock")];
    const { code, stdout, stderr } = await this.#run("spire-server", [
      group,
      command,
      ...socket,
      ...flags,
    ]);
    if (code !== 0) throw new Error(`spire-server ${group} ${command}: ${stdout} ${stderr}`);
    return stdout;
  }

  async #run(program: string, args: readonly string[]): Promise<Result> {
    return await runProgram(FOLDER + program, args, { env: this.#environment });
  }

  /** Its home, where Go programs may look for settings, is the temporary folder. */
  get #environment(): Readonly<Record<string, string>> {
    return { PATH: Deno.env.get("PATH") ?? "", HOME: this.#directory.path };
  }

  async #waitFor(
    what: string,
    child: Deno.ChildProcess | undefined,
    isReady: () => Promise<boolean>,
  ): Promise<void> {
    let ended = false;
    void child?.status.then(() => ended = true);
    const start = performance.now();
    while (!await isReady()) {
      if (ended || performance.now() - start > READY_TIMEOUT) {
        throw new Error(`SPIRE: ${what}: not ready; ${this.#logs()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #logs(): string {
    return ["server.log", "agent.log"].map((name) => {
      try {
        return Deno.readTextFileSync(this.#directory.join(name)).slice(-1000);
      } catch {
        return "";
      }
    }).join("\n");
  }
}

const FOLDER = compiledClient("spire").folder;
