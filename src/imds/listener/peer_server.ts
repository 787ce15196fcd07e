/**
 * HTTP server that knows the user of each connection. Linux only.
 *
 * `Deno.serve` does not identify the connection of a request. Two connections on a Unix socket look
 * the same, and a port may be another client's soon. So connections are accepted here, one at a
 * time. A function that the runtime uses itself serves them.
 *
 * A port that changes hands between accept and look-up does no harm. Another socket gets it only
 * when the accepted connection is dead. Its request then gets the other user's rights, and its
 * response is lost.
 *
 * @module
 */
import { HelperError } from "../../errors.ts";
import type { SocketCalls } from "./sockets.ts";

/** Delay after a failed accept, milliseconds: the process may have too many open files. */
const RETRY_DELAY = 50;

/** Handler of a user's request. `user` is undefined if the kernel does not report the number. */
export type UserHandler<C> = (
  request: Request,
  connection: C,
  user: number | undefined,
) => Response | Promise<Response>;

/** Options of a server on one listener. */
export interface PeerServerOptions<C extends Deno.Conn> {
  readonly listener: Deno.Listener<C>;
  /** Returns the user of a connection that was accepted just now. */
  readonly userOf: (connection: C) => number | undefined;
  readonly handler: UserHandler<C>;
  readonly onError: () => Response;
  /** Limits of connections of unknown users; absent: none. */
  readonly refused?: {
    readonly isAllowed: (user: number | undefined) => boolean;
    readonly max: number;
    /** Maximum duration, milliseconds. */
    readonly duration: number;
  };
}

/** A connection that is served. */
type ServedConnection = Pick<Deno.HttpServer, "finished" | "shutdown">;

type ServeConnection = (
  connection: Deno.Conn,
  signal: AbortSignal,
  handler: (request: Request) => Response | Promise<Response>,
  onError: () => Response,
  onListen: () => void,
) => ServedConnection;

/** Server on one listener. */
export class PeerServer<C extends Deno.Conn> {
  /** Resolves when it no longer listens. */
  readonly finished: Promise<void>;
  readonly #serve = connectionServer();
  readonly #open = new Set<ServedConnection>();
  #refused = 0;
  #ending = false;

  constructor(private readonly options: PeerServerOptions<C>) {
    this.finished = this.#accept();
  }

  get addr(): Deno.Addr {
    return this.options.listener.addr;
  }

  /** Stops listening, and finishes the requests in flight. */
  async shutdown(): Promise<void> {
    this.#ending = true;
    this.options.listener.close();
    await Promise.all([...this.#open].map((connection) => connection.shutdown()));
    await this.finished;
  }

  async #accept(): Promise<void> {
    const { listener, userOf, refused } = this.options;
    while (!this.#ending) {
      let connection: C;
      try {
        connection = await listener.accept();
      } catch {
        if (!this.#ending) await new Promise((resolve) => setTimeout(resolve, RETRY_DELAY));
        continue;
      }
      try {
        const user = userOf(connection);
        if (!refused || refused.isAllowed(user)) this.#start(connection, user);
        else if (this.#refused < refused.max) this.#start(connection, user, refused.duration);
        else connection.close();
      } catch {
        // The client has gone, or its user cannot be found out; the next one is served.
        close(connection);
      }
    }
  }

  #start(connection: C, user: number | undefined, duration?: number): void {
    const { handler, onError } = this.options;
    const controller = new AbortController();
    const handle = (request: Request) => handler(request, connection, user);
    const served = this.#serve(connection, controller.signal, handle, onError, () => {});
    this.#open.add(served);
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (duration !== undefined) {
      this.#refused++;
      timer = setTimeout(() => controller.abort(), duration);
    }
    void served.finished.catch(() => {}).finally(() => {
      clearTimeout(timer);
      if (duration !== undefined) this.#refused--;
      this.#open.delete(served);
    });
  }
}

/** Closes a connection, unless the runtime has done so. */
function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // already closed
  }
}

/** Users of the connections on a Unix socket (SO_PEERCRED, unix(7)). */
export class UnixPeers {
  /** Cookies of the connections that were open at the last look; the kernel never reuses one. */
  #known: ReadonlySet<bigint> = new Set();

  /** @param path of the socket */
  constructor(private readonly calls: SocketCalls, private readonly path: string) {}

  /**
   * Returns the user of the connection that was accepted after the last call; undefined if there is not
   * exactly one.
   */
  userOfNew(): number | undefined {
    const open = new Map<bigint, number>();
    for (const socket of this.calls.numbers()) {
      if (this.calls.unixPath(socket) !== this.path || this.calls.isListening(socket)) continue;
      const peer = readPeer(this.calls, socket);
      if (peer) open.set(peer.cookie, peer.user);
    }
    const [first, ...others] = [...open].filter(([cookie]) => !this.#known.has(cookie));
    this.#known = new Set(open.keys());
    return first && others.length === 0 ? first[1] : undefined;
  }
}

/** Returns the user at the other end of a Unix socket, and the kernel's name of the connection. */
function readPeer(
  calls: SocketCalls,
  socket: number,
): { user: number; cookie: bigint } | undefined {
  const { peers } = calls.system;
  if (!peers) return undefined;
  const { level } = peers;
  // struct ucred: pid_t pid, uid_t uid, gid_t gid
  const credentials = calls.readOption(socket, { level, option: peers.credentials }, 12);
  const cookie = calls.readOption(socket, { level, option: peers.cookie }, 8);
  if (!credentials || !cookie) return undefined;
  return {
    user: new DataView(credentials.buffer).getUint32(4, true),
    cookie: new DataView(cookie.buffer).getBigUint64(0, true),
  };
}

/** Returns the runtime's function that serves one connection. Throws `listen` if it has none. */
export function connectionServer(source = "--allow-user"): ServeConnection {
  const internal: unknown = Reflect.get(Deno, Reflect.get(Deno, "internal"));
  const serve: unknown = typeof internal === "object" && internal !== null
    ? Reflect.get(internal, "serveHttpOnConnection")
    : undefined;
  if (typeof serve === "function") {
    return (...args) => Reflect.apply(serve, undefined, args);
  }
  throw new HelperError(
    "listen",
    `${source}: this runtime cannot serve single connections; start serve without it`,
  );
}
