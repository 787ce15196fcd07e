/**
 * The functions of PKCS#11, each taking and giving what a program thinks in.
 *
 * @module
 */
import { withQuietStderr } from "../../../src/keystore/quiet_libraries.ts";
import type { TimedCalls } from "./timed_calls.ts";
import { CKF } from "./constants.ts";
import { allocate } from "./library.ts";
import { CKR } from "./return_values.ts";
import { ObjectCalls } from "./object_functions.ts";
import type { Handle, Info, SlotInfo, Structures, TokenInfo } from "./structures.ts";

/** A list that is said to be longer is a module's mistake. */
const MAX_ENTRIES = 10_000;
/** A list that grows while it is fetched is fetched again, so often. */
const LIST_ATTEMPTS = 5;
/** A token gives no longer signature: RSA of 8192 bits. */
const MAX_SIGNATURE_BYTES = 8192;
/** No token has more mechanisms: they are had in one call. */
const DEFAULT_MECHANISMS = 1024;

/** Typed functions of PKCS#11; each throws what {@link TimedCalls} does. */
export class Cryptoki {
  readonly objects: ObjectCalls;

  constructor(private readonly calls: TimedCalls, private readonly structures: Structures) {
    this.objects = new ObjectCalls(calls, structures);
  }

  /** C_Initialize for use from several threads; false when somebody has done it before. */
  async initialize(): Promise<boolean> {
    const name = "C_Initialize";
    const arguments_ = this.structures.initializeArguments(CKF.OS_LOCKING_OK);
    const already = CKR.CRYPTOKI_ALREADY_INITIALIZED;
    let value = await this.calls.call(name, [arguments_], { expected: [already, CKR.CANT_LOCK] });
    if (value === CKR.CANT_LOCK) {
      // Calls come from different threads, but only one at a time: no locks are needed.
      value = await this.calls.call(name, [null], { expected: [already] });
    }
    return value === CKR.OK;
  }

  /** C_Finalize; no failure when there is nothing to finalise. */
  async finalize(): Promise<void> {
    await this.calls.call("C_Finalize", [null], { expected: [CKR.CRYPTOKI_NOT_INITIALIZED] });
  }

  /** C_GetInfo. */
  async info(): Promise<Info> {
    const bytes = this.structures.room("info");
    await this.calls.call("C_GetInfo", [bytes]);
    return this.structures.readInfo(bytes);
  }

  /** C_GetSlotList: slots with a token in them. */
  async slots(): Promise<Handle[]> {
    return await this.#list((list, count) =>
      this.calls.call("C_GetSlotList", [1, list, count], { expected: [CKR.BUFFER_TOO_SMALL] })
    );
  }

  /** C_GetMechanismList; of more than {@link DEFAULT_MECHANISMS}, none. */
  async mechanisms(slot: Handle): Promise<number[]> {
    const list = this.structures.ulongs(DEFAULT_MECHANISMS);
    const count = this.structures.ulong(DEFAULT_MECHANISMS);
    const value = await this.calls.call("C_GetMechanismList", [slot, list, count], {
      expected: [CKR.BUFFER_TOO_SMALL],
    });
    const given = value === CKR.OK ? Number(this.structures.readUlong(count)) : 0;
    const length = Math.min(given, DEFAULT_MECHANISMS);
    return Array.from({ length }, (_, i) => Number(this.structures.readUlong(list, i)));
  }

  /** C_GetSlotInfo. */
  async slotInfo(slot: Handle): Promise<SlotInfo> {
    const bytes = this.structures.room("slotInfo");
    await this.calls.call("C_GetSlotInfo", [slot, bytes]);
    return this.structures.readSlotInfo(bytes);
  }

  /** C_GetTokenInfo. */
  async tokenInfo(slot: Handle): Promise<TokenInfo> {
    const bytes = this.structures.room("tokenInfo");
    await this.calls.call("C_GetTokenInfo", [slot, bytes]);
    return this.structures.readTokenInfo(bytes);
  }

  /** C_OpenSession, read-only. */
  async openSession(slot: Handle): Promise<Handle> {
    const session = this.structures.ulongs(1);
    const flags = BigInt(CKF.SERIAL_SESSION);
    await this.calls.call("C_OpenSession", [slot, flags, null, null, session]);
    return this.structures.readUlong(session);
  }

  /** C_CloseSession. */
  async closeSession(session: Handle): Promise<void> {
    await this.calls.call("C_CloseSession", [session]);
  }

  /** C_Login; gives the return value. `pin` is wiped; null has the token ask by itself. */
  async login(session: Handle, user: number, pin: Uint8Array<ArrayBuffer> | null): Promise<number> {
    const args = [session, BigInt(user), pin, BigInt(pin?.length ?? 0)];
    // tpm2-pkcs11 writes about a wrong PIN by itself.
    return await withQuietStderr(() => this.calls.callWithSecret("C_Login", args, pin));
  }

  /** C_SignInit; gives what it returned, if that is one of `expected`. */
  async signInit(
    session: Handle,
    mechanism: number,
    key: Handle,
    expected: readonly number[],
  ): Promise<number> {
    const bytes = this.structures.mechanism(mechanism);
    return await this.calls.call("C_SignInit", [session, bytes, key], { expected });
  }

  /** C_Sign, once. */
  async sign(session: Handle, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const signature = allocate(MAX_SIGNATURE_BYTES);
    const length = this.structures.ulong(signature.length);
    const args = [session, data, BigInt(data.length), signature, length];
    await this.calls.call("C_Sign", args);
    return signature.slice(0, Number(this.structures.readUlong(length)));
  }

  /** A list of which the module first tells the length; once more when it has grown meanwhile. */
  async #list(
    get: (list: Uint8Array<ArrayBuffer> | null, count: Uint8Array<ArrayBuffer>) => Promise<number>,
  ): Promise<bigint[]> {
    for (let attempt = 0; attempt < LIST_ATTEMPTS; attempt++) {
      const count = this.structures.ulongs(1);
      await get(null, count);
      const room = Math.min(MAX_ENTRIES, Number(this.structures.readUlong(count)));
      if (room === 0) break;
      const list = this.structures.ulongs(room);
      if (await get(list, count) === CKR.BUFFER_TOO_SMALL) continue;
      const length = Math.min(room, Number(this.structures.readUlong(count)));
      return Array.from({ length }, (_, i) => this.structures.readUlong(list, i));
    }
    return [];
  }
}
