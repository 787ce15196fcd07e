/**
 * HTTP server of the endpoint. It listens on one address, sets the hop limit, and closes idle
 * connections. When it stops, it finishes the requests in flight.
 *
 * @module
 */
import { HelperError, messageOf } from "../errors.ts";
import type { RequestHandler } from "./endpoint.ts";
import type { BindAddress } from "./listener/bind_address.ts";
import { checkBound, listeningSockets } from "./listener/bound_address.ts";
import { CONNECTION_LIMITS, IdleConnections, maxConnections } from "./listener/idle_connections.ts";
import { isLocalAddress } from "./listener/local_addresses.ts";
import { PeerServer, UnixPeers } from "./listener/peer_server.ts";
import { SocketOwners } from "./listener/socket_owner.ts";
import { raiseOpenFilesLimit } from "../runtime/limits.ts";
import { ServerSockets, SocketCalls } from "./listener/sockets.ts";
import { clearSocketPath, SocketFile, withSocketMode } from "./listener/unix_socket.ts";
import { withTimeout } from "../timeout.ts";

/** Options of a server. */
export interface ServerOptions {
  readonly bind: BindAddress;
  /** The IP hop limit (TTL) of every packet, 1 to 255. */
  readonly hopLimit: number;
  readonly handler: RequestHandler;
  /** Refuses clients on other machines, which can reach addresses of the loopback interface too. */
  readonly localOnly: boolean;
  /** Called after a response that `handler` does not make. */
  readonly onRefused?: (url: string, status: number) => void;
  /**
   * Returns whether a user gets credentials at the IMDSv2 paths. The user of each connection is then
   * found when it is accepted. Absent: users are not distinguished.
   */
  readonly isKnownUser?: (user: number | undefined) => boolean;
  /** Milliseconds from any origin, never going back. */
  readonly monotonic: () => number;
  /** Reports actions of the server to the user; never a secret. */
  readonly warn: (message: string) => void;
}

/** Times, milliseconds. */
const INTERVALS = {
  /** Interval between checks of the connections. */
  check: 500,
  /** The same during shutdown, when idle connections are closed at once. */
  shutdownCheck: 50,
  /** Maximum time from a response to its last byte on the wire. */
  send: 200,
  /** Timeout for the requests in flight at shutdown. */
  shutdown: 4_000,
  /** Maximum interval between attempts to reopen a broken listener. */
  maxReopen: 60_000,
} as const;

const REMOTE_CLIENT = "this address is for programs on its own machine only; " +
  "start serve with --allow-remote to allow others";

/** Limits of connections of unknown users on a Unix socket; milliseconds. */
const REFUSED_CONNECTIONS = { max: 64, duration: 5_000 } as const;

const NO_OUTPUT = () => {}; // otherwise Deno prints a line
const INTERNAL_ERROR = () => new Response("internal error", { status: 500 });

/** A running HTTP server of the runtime. */
type Server = Pick<Deno.HttpServer, "finished" | "shutdown"> & { readonly addr?: Deno.Addr };

/** Running server. Disposing of it waits for the requests in flight. */
export class EndpointServer implements AsyncDisposable {
  /** The port it listens on; 0 on a Unix socket. */
  readonly port: number;
  readonly #options: ServerOptions;
  readonly #calls: SocketCalls;
  readonly #owners = new SocketOwners();
  readonly #idle: IdleConnections;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Number of requests in flight, by the client's port. */
  readonly #inFlight = new Map<number, number>();
  #server: Server;
  #sockets: ServerSockets | undefined;
  #socketFile: SocketFile | undefined;
  /** Next attempt to reopen a broken listener, if one failed; milliseconds. */
  #retry: { readonly at: number; readonly delay: number } | undefined;
  /** Number of the listening Unix socket, with the path that it is bound to. */
  #unixListener: { readonly socket: number; readonly path: string } | undefined;
  #ending = false;

  /**
   * Starts listening and handling requests. Throws `listen` with the address and the remedy.
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
      this.port = bind.kind === "ip" ? portOf(this.#server) : 0;
    } catch (thrown) {
      this.#owners[Symbol.dispose]();
      this.#calls[Symbol.dispose]();
      throw thrown;
    }
    this.#timer = setInterval(() => this.#checkConnections(), INTERVALS.check);
  }

  /** Stops accepting connections, finishes the requests in flight, and closes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    clearInterval(this.#timer);
    const { monotonic } = this.#options;
    const deadline = monotonic() + INTERVALS.shutdown;
    const endIdle = setInterval(() => {
      const late = monotonic() >= deadline;
      for (const connection of this.#sockets?.connections() ?? []) {
        if (late || this.#isIdle(connection.clientPort)) this.#sockets?.end(connection);
      }
    }, INTERVALS.shutdownCheck);
    const shutdown = this.#server.shutdown().catch(() => {});
    await withTimeout(shutdown, INTERVALS.shutdown + 2 * INTERVALS.shutdownCheck, () => {});
    clearInterval(endIdle);
    this.#calls[Symbol.dispose]();
    this.#owners[Symbol.dispose]();
    this.#socketFile?.remove();
  }

  /** Listens, and checks the bound address. Throws `listen`; then nothing listens. */
  #listen(port: number): Server {
    const { bind } = this.#options;
    const before = listeningSockets(this.#calls);
    const file = bind.kind === "unix" ? new SocketFile(bind.path) : undefined;
    const bound: BindAddress = bind.kind === "unix"
      ? { ...bind, path: file?.bound ?? bind.path }
      : { ...bind, port };
    const server = this.#serve(bound);
    server.finished.catch(() => {}); // a broken listener is detected and reopened
    try {
      const listener = checkBound(this.#calls, before, bound, bind);
      if (bound.kind === "unix") this.#unixListener = { socket: listener, path: bound.path };
      if (bind.kind === "ip") {
        this.#sockets ??= new ServerSockets(this.#calls, portOf(server));
        this.#limitHops(this.#sockets);
      }
      file?.publish();
    } catch (thrown) {
      void server.shutdown().catch(() => {});
      file?.remove();
      throw toListenError(thrown, bind);
    }
    this.#socketFile = file;
    return server;
  }

  #serve(bind: BindAddress): Server {
    try {
      if (bind.kind === "unix") return this.#serveUnix(bind.path);
      if (this.#options.isKnownUser) return this.#servePeers(bind.address, bind.port);
      return Deno.serve(
        { hostname: bind.address, port: bind.port, onListen: NO_OUTPUT, onError: INTERNAL_ERROR },
        (request, { remoteAddr }) => this.#handle(request, remoteAddr),
      );
    } catch (thrown) {
      throw toListenError(thrown, this.#options.bind);
    }
  }

  #serveUnix(path: string): Server {
    const { handler, monotonic, isKnownUser } = this.#options;
    const handle = (request: Request, user: number | undefined) =>
      handler(request, {
        client: () => user === undefined ? "unix" : `unix user ${user}`,
        user: () => user,
        received: monotonic(),
      });
    if (!isKnownUser) {
      const options = { path, onListen: NO_OUTPUT, onError: INTERNAL_ERROR };
      return withSocketMode(
        "own",
        () => Deno.serve(options, (request) => handle(request, undefined)),
      );
    }
    const peers = new UnixPeers(this.#calls, path);
    return new PeerServer({
      listener: withSocketMode("all", () => Deno.listen({ transport: "unix", path })),
      userOf: () => peers.userOfNew(),
      handler: (request, _, user) => handle(request, user),
      onError: INTERNAL_ERROR,
      // Idle connections of a Unix socket are not closed otherwise.
      refused: { ...REFUSED_CONNECTIONS, isAllowed: isKnownUser },
    });
  }

  /** Serves TCP with the user of each connection. */
  #servePeers(hostname: string, port: number): Server {
    return new PeerServer({
      listener: Deno.listen({ hostname, port }),
      userOf: (connection) => {
        connection.setNoDelay(true);
        const { remoteAddr: from, localAddr: to } = connection;
        return this.#owners.userOf(
          { address: from.hostname, port: from.port },
          { address: to.hostname, port: to.port },
        );
      },
      handler: (request, { remoteAddr }, user) => this.#handle(request, remoteAddr, () => user),
      onError: INTERNAL_ERROR,
    });
  }

  #handle(
    request: Request,
    remote: Deno.NetAddr,
    user = () => this.#userOf(remote),
  ): Response | Promise<Response> {
    const { port } = remote;
    const received = this.#options.monotonic();
    this.#idle.onRequest(port, received);
    if (this.#isRemote(remote.hostname)) {
      this.#options.onRefused?.(request.url, 403);
      return new Response(REMOTE_CLIENT, { status: 403 });
    }
    const response = this.#options.handler(request, {
      client: () => formatClient(remote, user()),
      user,
      received,
    });
    return response instanceof Promise ? this.#trackInFlight(response, port) : response;
  }

  /** Clients on this machine connect from the server's own address, unless they choose another. */
  #isRemote(client: string): boolean {
    const { bind, localOnly } = this.#options;
    return localOnly && bind.kind === "ip" && client !== bind.address &&
      !isLocalAddress(client);
  }

  async #trackInFlight(response: Promise<Response>, port: number): Promise<Response> {
    this.#inFlight.set(port, (this.#inFlight.get(port) ?? 0) + 1);
    try {
      return await response;
    } finally {
      const left = (this.#inFlight.get(port) ?? 1) - 1;
      if (left > 0) this.#inFlight.set(port, left);
      else this.#inFlight.delete(port);
      this.#idle.onResponse(port, this.#options.monotonic());
    }
  }

  /** Returns true if a connection has no request in flight and its last response was sent. */
  #isIdle(clientPort: number): boolean {
    return !this.#inFlight.has(clientPort) && this.#idle.idleFor(clientPort) > INTERVALS.send;
  }

  /** Returns the user of the client's socket now; undefined if the kernel does not report it. */
  #userOf({ hostname, port }: Deno.NetAddr): number | undefined {
    const { bind } = this.#options;
    if (bind.kind !== "ip") return undefined;
    return this.#owners.userOf(
      { address: hostname, port },
      { address: bind.address, port: this.port },
    );
  }

  #limitHops(sockets: ServerSockets): void {
    sockets.setHopLimit(this.#options.hopLimit);
    // Connections accepted before this have the system's default TTL.
    for (const connection of sockets.connections()) sockets.end(connection);
  }

  /** Closes idle connections; reopens a broken listener. */
  #checkConnections(): void {
    const sockets = this.#sockets;
    if (sockets) {
      const overdue = this.#idle.overdue(sockets.connections());
      for (const connection of overdue) sockets.end(connection);
    }
    if (!(sockets ? sockets.isListening() : this.#isUnixListening())) this.#reopen();
  }

  #isUnixListening(): boolean {
    if (!this.#unixListener) return true;
    const { socket, path } = this.#unixListener;
    return this.#calls.isListening(socket) && this.#calls.unixPath(socket) === path;
  }

  /** Reopens the listener, which the runtime closes if the process reaches its limit of open files. */
  #reopen(): void {
    const { monotonic, warn } = this.#options;
    const failed = this.#retry;
    if (failed && monotonic() < failed.at) return;
    if (!failed) warn("the listening socket failed (too many open files?); reopening it");
    void this.#server.shutdown().catch(() => {});
    this.#socketFile?.remove();
    try {
      this.#server = this.#listen(this.port);
      this.#retry = undefined;
    } catch (thrown) {
      warn(messageOf(thrown));
      const delay = Math.min(2 * (failed?.delay ?? INTERVALS.check), INTERVALS.maxReopen);
      this.#retry = { at: monotonic() + delay, delay };
    }
  }
}

function portOf({ addr }: Server): number {
  return addr?.transport === "tcp" ? addr.port : 0;
}

function formatClient({ hostname }: Deno.NetAddr, user: number | undefined): string {
  return user === undefined ? hostname : `${hostname} user ${user}`;
}

/** Throws `listen` if the process's limit of open files is too low to serve. */
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
 * Throws `listen` if the address cannot be listened on, before any request to the service. Another
 * program can still take the address until the server starts.
 */
export async function checkAvailable(bind: BindAddress): Promise<void> {
  if (bind.kind === "unix") return await clearSocketPath(bind.path);
  try {
    Deno.listen({ hostname: bind.address, port: bind.port }).close();
  } catch (thrown) {
    throw toListenError(thrown, bind);
  }
}

function toListenError(cause: unknown, bind: BindAddress): HelperError {
  if (cause instanceof HelperError) return cause;
  const [flag, what] = bind.kind === "unix"
    ? ["--bind", bind.path]
    : ["--port", `${bind.address} port ${bind.port}`];
  const isTaken = cause instanceof Deno.errors.AddrInUse ||
    cause instanceof Deno.errors.AlreadyExists;
  const why = isTaken
    ? `another program listens there; end it or choose another ${flag}`
    : cause instanceof Deno.errors.PermissionDenied
    ? `this user may not listen there; choose a ${flag} that it may use`
    : cause instanceof Deno.errors.AddrNotAvailable
    ? "this machine does not have that address; check --bind"
    : `cannot be listened on: ${messageOf(cause)}`;
  return new HelperError("listen", `${what}: ${why}`, { cause });
}
