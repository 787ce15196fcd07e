/**
 * The endpoint's server: listens where it is told, sends packets no further than the hop limit allows,
 * ends connections that only take up room, and finishes what is in flight when it ends.
 *
 * @module
 */
import { HelperError, messageOf } from "../errors.ts";
import type { Answer } from "./app.ts";
import type { BindAddress } from "./listener/bind_address.ts";
import { checkBound, listeningSockets } from "./listener/bound_address.ts";
import { CONNECTION_LIMITS, IdleConnections, maxConnections } from "./listener/idle_connections.ts";
import { isLocalAddress } from "./listener/local_addresses.ts";
import { SocketOwners } from "./listener/socket_owner.ts";
import { raiseOpenFilesLimit } from "../runtime/limits.ts";
import { ServerSockets, SocketCalls } from "./listener/sockets.ts";
import { clearSocketPath, removeSocket, withPrivateMode } from "./listener/unix_socket.ts";
import { withTimeout } from "../timeout.ts";

/** What a server is started with. */
export interface ServerOptions {
  readonly bind: BindAddress;
  /** The IP hop limit (TTL) of every packet, 1 to 255. */
  readonly hopLimit: number;
  readonly answer: Answer;
  /** Refuses clients on other machines, who reach addresses of the loopback interface too. */
  readonly onlyThisMachine: boolean;
  /** Milliseconds from any origin, never going back. */
  readonly monotonic: () => number;
  /** Tells the user what the server does for itself; never a secret. */
  readonly warn: (words: string) => void;
}

/** Milliseconds. */
const PERIODS = {
  /** How often connections are looked at. */
  look: 500,
  /** How often at the end, when those that are idle are ended at once. */
  lookAtEnd: 50,
  /** How long it takes at the most from an answer to its last byte on the wire. */
  sending: 200,
  /** What is in flight at the end may take so long. */
  end: 4_000,
} as const;

const ELSEWHERE = "this address is for programs on its own machine; " +
  "start serve with --allow-remote to answer others";

/** A running server. Disposing of it waits for what is in flight. */
export class EndpointServer implements AsyncDisposable {
  /** The port it listens on; 0 on a Unix socket. */
  readonly port: number;
  readonly #options: ServerOptions;
  readonly #calls: SocketCalls;
  readonly #sockets: ServerSockets | undefined;
  readonly #owners = new SocketOwners();
  readonly #idle: IdleConnections;
  readonly #timer: number;
  /** Requests that are being answered, by the client's port. */
  readonly #inFlight = new Map<number, number>();
  #server: Deno.HttpServer;
  #ending = false;

  /**
   * Starts listening; requests are answered from then on. Throws `listen` naming the address and what
   * to do.
   */
  static async start(options: ServerOptions): Promise<EndpointServer> {
    const { bind } = options;
    if (bind.kind === "unix") await clearSocketPath(bind.path);
    return new EndpointServer(options, raiseOpenFilesLimit());
  }

  private constructor(options: ServerOptions, openFiles: number | undefined) {
    const { bind, monotonic } = options;
    this.#options = options;
    this.#calls = SocketCalls.open(openFiles);
    this.#idle = new IdleConnections(monotonic, maxConnections(openFiles));
    try {
      this.#server = this.#listen(bind.kind === "ip" ? bind.port : 0);
      this.port = bind.kind === "ip" ? (this.#server.addr as Deno.NetAddr).port : 0;
      if (bind.kind === "ip") {
        this.#sockets = new ServerSockets(this.#calls, this.port);
        this.#limitHops();
      }
    } catch (thrown) {
      this.#owners[Symbol.dispose]();
      this.#calls[Symbol.dispose]();
      throw thrown;
    }
    this.#timer = setInterval(() => this.#look(), PERIODS.look);
  }

  /** Ends: takes no more connections, answers what is in flight, and closes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    clearInterval(this.#timer);
    const { monotonic, bind } = this.#options;
    const deadline = monotonic() + PERIODS.end;
    const endIdle = setInterval(() => {
      const late = monotonic() >= deadline;
      for (const connection of this.#sockets?.connections() ?? []) {
        if (late || this.#isAnswered(connection.clientPort)) this.#sockets?.end(connection);
      }
    }, PERIODS.lookAtEnd);
    const shutdown = this.#server.shutdown().catch(() => {});
    await withTimeout(shutdown, PERIODS.end + 2 * PERIODS.lookAtEnd, () => {});
    clearInterval(endIdle);
    this.#calls[Symbol.dispose]();
    this.#owners[Symbol.dispose]();
    if (bind.kind === "unix") removeSocket(bind.path);
  }

  /** Listens, and checks where. Throws `listen`; nothing listens then. */
  #listen(port: number): Deno.HttpServer {
    const { bind } = this.#options;
    const before = listeningSockets(this.#calls);
    const server = this.#serve(port);
    server.finished.catch(() => {}); // a broken listener is found and opened again
    try {
      checkBound(this.#calls, before, bind.kind === "ip" ? { ...bind, port } : bind);
      return server;
    } catch (thrown) {
      void server.shutdown().catch(() => {});
      if (bind.kind === "unix") removeSocket(bind.path);
      throw thrown;
    }
  }

  #serve(port: number): Deno.HttpServer {
    const { bind } = this.#options;
    const onListen = () => {}; // else Deno writes a line of its own
    const onError = () => new Response("internal error", { status: 500 });
    try {
      if (bind.kind === "unix") {
        const { path } = bind;
        return withPrivateMode(() =>
          Deno.serve(
            { path, onListen, onError },
            (request) =>
              this.#options.answer(request, {
                client: () => "unix",
                received: this.#options.monotonic(),
              }),
          )
        );
      }
      return Deno.serve(
        { hostname: bind.address, port, onListen, onError },
        (request, { remoteAddr }) => this.#answer(request, remoteAddr),
      );
    } catch (thrown) {
      throw asListenError(thrown, bind);
    }
  }

  #answer(request: Request, remote: Deno.NetAddr): Response | Promise<Response> {
    const { port } = remote;
    const received = this.#options.monotonic();
    this.#idle.requested(port, received);
    if (this.#isFromElsewhere(remote.hostname)) return new Response(ELSEWHERE, { status: 403 });
    const answer = this.#options.answer(request, {
      client: () => this.#clientOf(remote),
      received,
    });
    return answer instanceof Promise ? this.#answerLater(answer, port) : answer;
  }

  /** Clients on this machine send from the address that they ask, unless they choose another. */
  #isFromElsewhere(client: string): boolean {
    const { bind, onlyThisMachine } = this.#options;
    return onlyThisMachine && bind.kind === "ip" && client !== bind.address &&
      !isLocalAddress(client);
  }

  async #answerLater(answer: Promise<Response>, port: number): Promise<Response> {
    this.#inFlight.set(port, (this.#inFlight.get(port) ?? 0) + 1);
    try {
      return await answer;
    } finally {
      const left = (this.#inFlight.get(port) ?? 1) - 1;
      if (left > 0) this.#inFlight.set(port, left);
      else this.#inFlight.delete(port);
      this.#idle.answered(port, this.#options.monotonic());
    }
  }

  /** Whether nothing is being answered on a connection, and the last answer has been sent. */
  #isAnswered(clientPort: number): boolean {
    return !this.#inFlight.has(clientPort) && this.#idle.idleFor(clientPort) > PERIODS.sending;
  }

  /** The client's address and, where the kernel tells, its user. */
  #clientOf({ hostname, port }: Deno.NetAddr): string {
    const { bind } = this.#options;
    const address = bind.kind === "ip" ? bind.address : "";
    const user = this.#owners.userOf(
      { address: hostname, port },
      { address, port: this.port },
    );
    return user === undefined ? hostname : `${hostname} user ${user}`;
  }

  #limitHops(): void {
    this.#sockets?.setHopLimit(this.#options.hopLimit);
    // Whoever connected a moment before has the system's own limit.
    for (const connection of this.#sockets?.connections() ?? []) this.#sockets?.end(connection);
  }

  /** Ends connections that take up room; listens anew when the listener has broken. */
  #look(): void {
    if (!this.#sockets) return;
    const overdue = this.#idle.overdue(this.#sockets.connections());
    for (const connection of overdue) this.#sockets.end(connection);
    if (this.#sockets.isListening()) return;
    // The runtime gives the listener up when the process may open no more files.
    this.#options.warn(
      "the listener broke, as it does when too many files are open; it is made anew",
    );
    try {
      this.#server = this.#listen(this.port);
      this.#limitHops();
    } catch (thrown) {
      this.#options.warn(messageOf(thrown));
    }
  }
}

/** Throws `listen` if the process may open too few files to serve. */
export function checkOpenFiles(): void {
  const { minFiles } = CONNECTION_LIMITS;
  const openFiles = raiseOpenFilesLimit();
  if (openFiles === undefined || openFiles >= minFiles) return;
  throw new HelperError(
    "listen",
    `the limit of open files is ${openFiles}: serve needs ${minFiles}; ` +
      "raise it with ulimit -n, or LimitNOFILE of systemd",
  );
}

/**
 * Throws `listen` when the address cannot be listened on, before anything is asked of the service for
 * it. It may still be taken until the server starts.
 */
export async function checkFree(bind: BindAddress): Promise<void> {
  if (bind.kind === "unix") return await clearSocketPath(bind.path);
  try {
    Deno.listen({ hostname: bind.address, port: bind.port }).close();
  } catch (thrown) {
    throw asListenError(thrown, bind);
  }
}

function asListenError(cause: unknown, bind: BindAddress): HelperError {
  if (cause instanceof HelperError) return cause;
  const [flag, what] = bind.kind === "unix"
    ? ["--bind", bind.path]
    : ["--port", `${bind.address} port ${bind.port}`];
  const why = cause instanceof Deno.errors.AddrInUse
    ? `another program listens there; end it or choose another ${flag}`
    : cause instanceof Deno.errors.PermissionDenied
    ? `this user may not listen there; choose a ${flag} that it may use`
    : cause instanceof Deno.errors.AddrNotAvailable
    ? "this machine does not have that address; check --bind"
    : `cannot be listened on: ${messageOf(cause)}`;
  return new HelperError("listen", `${what}: ${why}`, { cause });
}
