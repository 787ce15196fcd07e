/**
 * Typed wrappers for the PKCS#11 C functions.
 *
 * @module
 */
import { withQuietStderr } from "../../../src/keystore/quiet_libraries.ts";
import type { TimedCalls } from "./timed_calls.ts";
import { CKF } from "./constants.ts";
import { allocate } from "./library.ts";
import { CKR } from "./return_values.ts";
import { ObjectFunctions } from "./object_functions.ts";
import type { Handle, Info, SlotInfo, Structures, TokenInfo } from "./structures.ts";

/** Maximum length of a list; a module that reports more is wrong. */
const MAX_ENTRIES = 10_000;
/** Maximum attempts to read a list that grows between the two calls. */
const MAX_LIST_ATTEMPTS = 5;
/** Buffer size for C_Sign, larger than any signature of a supported key. */
const MAX_SIGNATURE_BYTES = 8192;
/** Buffer size for C_GetMechanismList, large enough to need one call only. */
const MAX_MECHANISMS = 1024;

/** Functions of a module. Each throws the errors of {@link TimedCalls}. */
export class Cryptoki {
  readonly objects: ObjectFunctions;

  constructor(private readonly calls: TimedCalls, private readonly structures: Structures) {
    this.objects = new ObjectFunctions(calls, structures);
  }

  /** Calls C_Initialize for several threads; returns false if it was already initialised. */
  async initialize(): Promise<boolean> {
    const name = "C_Initialize";
    const arguments_ = this.structures.initializeArguments(CKF.OS_LOCKING_OK);
    const already = CKR.CRYPTOKI_ALREADY_INITIALIZED;
    let value = await this.calls.call(name, [arguments_], { expected: [already, CKR.CANT_LOCK] });
    if (value === CKR.CANT_LOCK) {
      // Calls come from different threads, but one at a time, so no locks are needed.
      value = await this.calls.call(name, [null], { expected: [already] });
    }
    return value === CKR.OK;
  }

  /** Calls C_Finalize; ignores a module that is not initialised. */
  async finalize(): Promise<void> {
    await this.calls.call("C_Finalize", [null], { expected: [CKR.CRYPTOKI_NOT_INITIALIZED] });
  }

  /** Calls C_GetInfo. */
  async getInfo(): Promise<Info> {
    const bytes = this.structures.buffer("info");
    await this.calls.call("C_GetInfo", [bytes]);
    return this.structures.readInfo(bytes);
  }

  /** Calls C_GetSlotList; returns the slots that have a token. */
  async getSlotList(): Promise<Handle[]> {
    return await this.#list((list, count) =>
      this.calls.call("C_GetSlotList", [1, list, count], { expected: [CKR.BUFFER_TOO_SMALL] })
    );
  }

  /** Calls C_GetMechanismList; returns an empty list if there are over {@link MAX_MECHANISMS}. */
  async getMechanismList(slot: Handle): Promise<number[]> {
    const list = this.structures.ulongArray(MAX_MECHANISMS);
    const count = this.structures.ulong(MAX_MECHANISMS);
    const value = await this.calls.call("C_GetMechanismList", [slot, list, count], {
      expected: [CKR.BUFFER_TOO_SMALL],
    });
    const reported = value === CKR.OK ? Number(this.structures.readUlong(count)) : 0;
    const length = Math.min(reported, MAX_MECHANISMS);
    return Array.from({ length }, (_, i) => Number(this.structures.readUlong(list, i)));
  }

  /** Calls C_GetSlotInfo. */
  async getSlotInfo(slot: Handle): Promise<SlotInfo> {
    const bytes = this.structures.buffer("slotInfo");
    await this.calls.call("C_GetSlotInfo", [slot, bytes]);
    return this.structures.readSlotInfo(bytes);
  }

  /** Calls C_GetTokenInfo. */
  async getTokenInfo(slot: Handle): Promise<TokenInfo> {
    const bytes = this.structures.buffer("tokenInfo");
    await this.calls.call("C_GetTokenInfo", [slot, bytes]);
    return this.structures.readTokenInfo(bytes);
  }

  /** Calls C_OpenSession for a read-only session. */
  async openSession(slot: Handle): Promise<Handle> {
    const session = this.structures.ulongArray(1);
    const flags = BigInt(CKF.SERIAL_SESSION);
    await this.calls.call("C_OpenSession", [slot, flags, null, null, session]);
    return this.structures.readUlong(session);
  }

  /** Calls C_CloseSession. */
  async closeSession(session: Handle): Promise<void> {
    await this.calls.call("C_CloseSession", [session]);
  }

  /** Calls C_Login and returns its value. Wipes `pin`; null uses the token's PIN pad. */
  async login(session: Handle, user: number, pin: Uint8Array<ArrayBuffer> | null): Promise<number> {
    const args = [session, BigInt(user), pin, BigInt(pin?.length ?? 0)];
    // tpm2-pkcs11 writes its own message about a wrong PIN.
    return await withQuietStderr(() => this.calls.callWithSecret("C_Login", args, pin));
  }

  /** Calls C_SignInit; returns its value if that is CKR_OK or one of `expected`. */
  async signInit(
    session: Handle,
    mechanism: number,
    key: Handle,
    expected: readonly number[],
  ): Promise<number> {
    const bytes = this.structures.mechanism(mechanism);
    return await this.calls.call("C_SignInit", [session, bytes, key], { expected });
  }

  /** Calls C_Sign. */
  async sign(session: Handle, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
    const signature = allocate(MAX_SIGNATURE_BYTES);
    const length = this.structures.ulong(signature.length);
    const args = [session, data, BigInt(data.length), signature, length];
    await this.calls.call("C_Sign", args);
    return signature.slice(0, Number(this.structures.readUlong(length)));
  }

  /** Reads a list: first its length, then its entries. Retries if it grew in between. */
  async #list(
    get: (list: Uint8Array<ArrayBuffer> | null, count: Uint8Array<ArrayBuffer>) => Promise<number>,
  ): Promise<bigint[]> {
    for (let attempt = 0; attempt < MAX_LIST_ATTEMPTS; attempt++) {
      const count = this.structures.ulongArray(1);
      await get(null, count);
      const capacity = Math.min(MAX_ENTRIES, Number(this.structures.readUlong(count)));
      if (capacity === 0) break;
      const list = this.structures.ulongArray(capacity);
      if (await get(list, count) === CKR.BUFFER_TOO_SMALL) continue;
      const length = Math.min(capacity, Number(this.structures.readUlong(count)));
      return Array.from({ length }, (_, i) => this.structures.readUlong(list, i));
    }
    return [];
  }
}
