import { TemporaryDirectory } from "./temporary_directory.ts";

/** Timeout for its start on a busy machine, milliseconds. */
const START_TIMEOUT = 120_000;

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--remote-debugging-port=0",
];

/** A response of the DevTools protocol. */
interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Headless Chromium with an empty profile, in which every name resolves to 127.0.0.1. */
export class Chromium implements AsyncDisposable {
  #last = 0;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  readonly #loaded = new Map<string, () => void>();

  private constructor(
    private readonly directory: TemporaryDirectory,
    private readonly child: Deno.ChildProcess,
    private readonly socket: WebSocket,
  ) {
    socket.onmessage = ({ data }) => {
      const reply: Reply = JSON.parse(String(data));
      if (reply.method === "Page.loadEventFired") this.#loaded.get(reply.sessionId ?? "")?.();
      if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply);
    };
  }

  static async start(): Promise<Chromium> {
    const directory = new TemporaryDirectory();
    const data = directory.join("data");
    const child = new Deno.Command("chromium", {
      args: [...FLAGS, `--user-data-dir=${data}`, "--host-resolver-rules=MAP * 127.0.0.1"],
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH") ?? "", HOME: directory.path, TMPDIR: directory.path },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const url = await debuggerUrl(`${data}/DevToolsActivePort`);
      const socket = new WebSocket(url);
      const opened = Promise.withResolvers<void>();
      socket.onopen = () => opened.resolve();
      socket.onerror = () => opened.reject(new Error("no connection to Chromium"));
      await opened.promise;
      return new Chromium(directory, child, socket);
    } catch (thrown) {
      child.kill("SIGKILL");
      await child.status;
      directory[Symbol.dispose]();
      throw thrown;
    }
  }

  /** Opens a page in a new tab and evaluates an expression in it; a promise is awaited. */
  async evaluate(url: string, expression: string): Promise<unknown> {
    const { targetId } = await this.#call("Target.createTarget", { url: "about:blank" });
    const { sessionId: session } = await this.#call("Target.attachToTarget", {
      targetId,
      flatten: true,
    });
    const sessionId = String(session);
    await this.#call("Page.enable", {}, sessionId);
    const loaded = Promise.withResolvers<void>();
    this.#loaded.set(sessionId, loaded.resolve);
    const { errorText } = await this.#call("Page.navigate", { url }, sessionId);
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await loaded.promise;
    const { result, exceptionDetails } = await this.#call(
      "Runtime.evaluate",
      { expression, awaitPromise: true, returnByValue: true },
      sessionId,
    );
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value?: unknown }).value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.socket.onclose = () => closed.resolve();
    await this.#call("Browser.close", {}).catch(() => {});
    await this.child.status;
    await closed.promise;
    this.directory[Symbol.dispose]();
  }

  async #call(
    method: string,
    params: Record<string, unknown>,
    sessionId?: string,
  ): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    const reply = Promise.withResolvers<Reply>();
    this.#waiting.set(id, reply.resolve);
    this.socket.send(JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) }));
    const { result, error } = await reply.promise;
    this.#waiting.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }
}

/** Waits for the file in which Chromium writes the port and path of its debugger. */
async function debuggerUrl(file: string): Promise<string> {
  const started = performance.now();
  while (performance.now() - started < START_TIMEOUT) {
    try {
      const [port, path] = Deno.readTextFileSync(file).split("\n");
      if (port && path) return `ws://127.0.0.1:${port}${path}`;
    } catch {
      // not yet
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("Chromium did not start");
}
