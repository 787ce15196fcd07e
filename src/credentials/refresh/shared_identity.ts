/**
 * Identity that several callers use at the same time. It is opened for the first of them and closed after
 * the last one. Its signatures are made one after the other.
 *
 * @module
 */
import type { Identity } from "../../keystore/open_identity.ts";

/** An open identity of one caller. */
export interface Lease extends AsyncDisposable {
  readonly identity: Identity;
}

interface Shared {
  readonly identity: Promise<Identity>;
  users: number;
  /** A failed identity gets no new users: its token may have been removed. */
  hasFailed: boolean;
  readonly closed: PromiseWithResolvers<void>;
}

/** Identity that is opened once for all callers that overlap. */
export class SharedIdentity {
  #shared: Shared | undefined;

  /**
   * @param open opens the identity; it never runs while another identity is open
   * @param close closes it
   */
  constructor(
    private readonly open: () => Promise<Identity>,
    private readonly close: (identity: Identity) => Promise<void>,
  ) {}

  /** Returns the identity until the lease is disposed of. Throws the errors of `open`. */
  async lease(): Promise<Lease> {
    while (this.#shared?.hasFailed) await this.#shared.closed.promise;
    const shared = this.#shared ??= this.#start();
    shared.users += 1;
    try {
      return {
        identity: await shared.identity,
        [Symbol.asyncDispose]: () => this.#leave(shared),
      };
    } catch (thrown) {
      await this.#leave(shared);
      throw thrown;
    }
  }

  #start(): Shared {
    const shared: Shared = {
      identity: this.open().then((identity) => inTurn(identity, () => shared.hasFailed = true)),
      users: 0,
      hasFailed: false,
      closed: Promise.withResolvers<void>(),
    };
    shared.identity.catch(() => shared.hasFailed = true);
    return shared;
  }

  async #leave(shared: Shared): Promise<void> {
    shared.users -= 1;
    if (shared.users > 0) return;
    shared.hasFailed = true; // from here on, callers wait for the end
    try {
      const identity = await shared.identity.catch(() => undefined);
      if (identity) await this.close(identity);
    } finally {
      this.#shared = undefined;
      shared.closed.resolve();
    }
  }
}

/** Returns the identity with a signer that makes one signature at a time. */
function inTurn(identity: Identity, onFailure: () => void): Identity {
  const { signer } = identity;
  let last: Promise<unknown> = Promise.resolve();
  const sign: typeof signer.sign = (message, digest) => {
    const signature = last.then(() => signer.sign(message, digest));
    last = signature.catch(onFailure);
    return signature;
  };
  return {
    ...identity,
    signer: {
      publicKey: signer.publicKey,
      certificates: signer.certificates,
      ...(signer.inMemory ? { inMemory: signer.inMemory } : {}),
      sign,
      [Symbol.asyncDispose]: () => signer[Symbol.asyncDispose](),
    },
    [Symbol.asyncDispose]: () => identity[Symbol.asyncDispose](),
  };
}
