/**
 * The TPM commands that are used (TPM 2.0 Library, Part 3), through a connection. Structures go in
 * and come out in their wire form; objects and sessions are ESYS_TR numbers. Nothing is flushed
 * here: transaction.ts does that.
 *
 * @module
 */
import { ALGORITHM } from "./algorithms.ts";
import type { Connection } from "./connection.ts";
import { ESYS } from "./handles.ts";
import { fromWire } from "./marshalling.ts";
import { type Step, TpmError } from "./return_codes.ts";
import { EMPTY, sized, u16, u32, wire, WireReader } from "./wire.ts";

/** TPM_SE: what a session is for. */
export const SESSION_KIND = { hmac: 0x00, policy: 0x01 } as const;

/** TPMA_SESSION bits. */
export const SESSION_ATTRIBUTE = { continue: 0x01, decrypt: 0x20, encrypt: 0x40 } as const;

const ALL_ATTRIBUTES = 0xff;
const NO_SESSIONS = [ESYS.none, ESYS.none, ESYS.none] as const;
const AES_128_CFB = wire(u16(ALGORITHM.aes), u16(128), u16(ALGORITHM.cfb));
const NO_CIPHER = u16(ALGORITHM.null);
const PROPERTIES = 6; // TPM_CAP_TPM_PROPERTIES
const INT_SIZE = 4;

const oneSession = (session: number) => [session, ESYS.none, ESYS.none] as const;
const numberCell = () => new Uint32Array(1);
const pointerCell = () => new BigUint64Array(1);

/** Runs commands on one connection. Every method may throw `TpmError`. */
export class Commands {
  constructor(readonly connection: Connection) {}

  /** The ESYS number of an object that is in the TPM; reads its public area. */
  async find(handle: number, step: "find-key" | "find-parent"): Promise<number> {
    const object = numberCell();
    const { Esys_TR_FromTPMPublic } = this.#esys;
    await this.#call(step, Esys_TR_FromTPMPublic, this.#context, handle, ...NO_SESSIONS, object);
    return object[0] ?? 0;
  }

  /** TPM2B_PUBLIC of an object. */
  async readPublic(object: number, step: "find-key" | "find-parent"): Promise<Uint8Array> {
    const cell = pointerCell();
    const { Esys_ReadPublic } = this.#esys;
    const args = [this.#context, object, ...NO_SESSIONS, cell, null, null] as const;
    await this.#call(step, Esys_ReadPublic, ...args);
    return this.connection.take("TPM2B_PUBLIC", cell);
  }

  /** What ESYS knows of an object, for {@link recall} in another connection. */
  remember(object: number): Uint8Array<ArrayBuffer> {
    const cell = pointerCell();
    const length = new BigUint64Array(1);
    this.#check("find-key", this.#esys.Esys_TR_Serialize(this.#context, object, cell, length));
    const pointer = Deno.UnsafePointer.create(cell[0] ?? 0n);
    if (!pointer) return new Uint8Array(0);
    try {
      const view = Deno.UnsafePointerView.getArrayBuffer(pointer, Number(length[0]));
      return new Uint8Array(view.slice(0));
    } finally {
      this.#esys.Esys_Free(pointer);
    }
  }

  /** The ESYS number of an object that was remembered; asks the TPM nothing. */
  recall(remembered: Uint8Array<ArrayBuffer>): number {
    const object = numberCell();
    const length = BigInt(remembered.length);
    this.#check(
      "find-key",
      this.#esys.Esys_TR_Deserialize(this.#context, remembered, length, object),
    );
    return object[0] ?? 0;
  }

  /** Tells ESYS the password of an object, for the sessions that follow; sends nothing. */
  setPassword(object: number, password: Uint8Array): void {
    const encoded = sized(password);
    const auth = fromWire(this.connection.libraries, "TPM2B_DIGEST", encoded);
    try {
      this.#check("find-key", this.#esys.Esys_TR_SetAuth(this.#context, object, auth));
    } finally {
      encoded.fill(0);
      auth.fill(0);
    }
  }

  /** Makes the primary key of a template (TPM2B_PUBLIC) under a hierarchy. */
  async createPrimary(hierarchy: number, session: number, template: Uint8Array): Promise<number> {
    const object = numberCell();
    const zeros = this.#structure("TPM2B_DATA", EMPTY);
    const { Esys_CreatePrimary } = this.#esys;
    await this.#call(
      "make-parent",
      Esys_CreatePrimary,
      this.#context,
      hierarchy,
      ...oneSession(session),
      zeros, // neither password nor data
      this.#structure("TPM2B_PUBLIC", template),
      zeros,
      this.#structure("TPML_PCR_SELECTION", u32(0)),
      object,
      null,
      null,
      null,
      null,
    );
    return object[0] ?? 0;
  }

  /** Loads a key (TPM2B_PRIVATE, TPM2B_PUBLIC) under its parent. */
  async load(
    parent: number,
    session: number,
    privateArea: Uint8Array,
    publicArea: Uint8Array,
  ): Promise<number> {
    const object = numberCell();
    const { Esys_Load } = this.#esys;
    await this.#call(
      "load",
      Esys_Load,
      this.#context,
      parent,
      ...oneSession(session),
      this.#structure("TPM2B_PRIVATE", privateArea),
      this.#structure("TPM2B_PUBLIC", publicArea),
      object,
    );
    return object[0] ?? 0;
  }

  /** Makes the TPM2B_PRIVATE of a key that was encrypted for its parent elsewhere. */
  async import(
    parent: number,
    session: number,
    publicArea: Uint8Array,
    duplicate: Uint8Array,
    seed: Uint8Array,
  ): Promise<Uint8Array> {
    const cell = pointerCell();
    const { Esys_Import } = this.#esys;
    await this.#call(
      "import",
      Esys_Import,
      this.#context,
      parent,
      ...oneSession(session),
      this.#structure("TPM2B_DATA", EMPTY),
      this.#structure("TPM2B_PUBLIC", publicArea),
      this.#structure("TPM2B_PRIVATE", duplicate),
      this.#structure("TPM2B_ENCRYPTED_SECRET", seed),
      this.#structure("TPMT_SYM_DEF_OBJECT", NO_CIPHER),
      cell,
    );
    return this.connection.take("TPM2B_PRIVATE", cell);
  }

  /** Starts a session whose secrets are salted with `saltKey`. */
  async startSession(kind: number, saltKey: number, hash: number): Promise<number> {
    const session = numberCell();
    const { Esys_StartAuthSession } = this.#esys;
    await this.#call(
      "start-session",
      Esys_StartAuthSession,
      this.#context,
      saltKey,
      ESYS.none,
      ...NO_SESSIONS,
      null,
      kind,
      this.#structure("TPMT_SYM_DEF", AES_128_CFB),
      hash,
      session,
    );
    return session[0] ?? 0;
  }

  /** Sets what is encrypted in the next command of a session, by {@link SESSION_ATTRIBUTE}. */
  setAttributes(session: number, attributes: number): void {
    this.#check(
      "start-session",
      this.#esys.Esys_TRSess_SetAttributes(this.#context, session, attributes, ALL_ATTRIBUTES),
    );
  }

  /** TPM2_PolicyPCR, by TPM2B_DIGEST and TPML_PCR_SELECTION. */
  async policyPcr(session: number, digest: Uint8Array, selection: Uint8Array): Promise<void> {
    const { Esys_PolicyPCR } = this.#esys;
    await this.#call(
      "policy-pcr",
      Esys_PolicyPCR,
      this.#context,
      session,
      ...NO_SESSIONS,
      this.#structure("TPM2B_DIGEST", digest),
      this.#structure("TPML_PCR_SELECTION", selection),
    );
  }

  async policyAuthValue(session: number): Promise<void> {
    const { Esys_PolicyAuthValue } = this.#esys;
    await this.#call("policy", Esys_PolicyAuthValue, this.#context, session, ...NO_SESSIONS);
  }

  async policyCommandCode(session: number, command: number): Promise<void> {
    const { Esys_PolicyCommandCode } = this.#esys;
    const args = [this.#context, session, ...NO_SESSIONS, command] as const;
    await this.#call("policy", Esys_PolicyCommandCode, ...args);
  }

  async policyLocality(session: number, locality: number): Promise<void> {
    const { Esys_PolicyLocality } = this.#esys;
    const args = [this.#context, session, ...NO_SESSIONS, locality] as const;
    await this.#call("policy", Esys_PolicyLocality, ...args);
  }

  /** Hashes in the TPM, which restricted keys ask for; gives TPM2B_DIGEST and TPMT_TK_HASHCHECK. */
  async hash(
    message: Uint8Array,
    hash: number,
  ): Promise<{ digest: Uint8Array; ticket: Uint8Array }> {
    const digest = pointerCell();
    const ticket = pointerCell();
    const { Esys_Hash } = this.#esys;
    await this.#call(
      "hash",
      Esys_Hash,
      this.#context,
      ...NO_SESSIONS,
      this.#structure("TPM2B_MAX_BUFFER", sized(message)),
      hash,
      ESYS.owner,
      digest,
      ticket,
    );
    return {
      digest: this.connection.take("TPM2B_DIGEST", digest),
      ticket: this.connection.take("TPMT_TK_HASHCHECK", ticket),
    };
  }

  /** Signs TPM2B_DIGEST by TPMT_SIG_SCHEME and TPMT_TK_HASHCHECK; gives TPMT_SIGNATURE. */
  async sign(
    key: number,
    session: number,
    digest: Uint8Array,
    scheme: Uint8Array,
    ticket: Uint8Array,
  ): Promise<Uint8Array> {
    const cell = pointerCell();
    const { Esys_Sign } = this.#esys;
    await this.#call(
      "sign",
      Esys_Sign,
      this.#context,
      key,
      ...oneSession(session),
      this.#structure("TPM2B_DIGEST", digest),
      this.#structure("TPMT_SIG_SCHEME", scheme),
      this.#structure("TPMT_TK_HASHCHECK", ticket),
      cell,
    );
    return this.connection.take("TPMT_SIGNATURE", cell);
  }

  /** The contents of a sealed object. The caller wipes them. */
  async unseal(object: number, session: number): Promise<Uint8Array<ArrayBuffer>> {
    const cell = pointerCell();
    const { Esys_Unseal } = this.#esys;
    await this.#call("unseal", Esys_Unseal, this.#context, object, ...oneSession(session), cell);
    const encoded = this.connection.take("TPM2B_SENSITIVE_DATA", cell, true);
    const contents = Uint8Array.from(new WireReader(encoded).sized());
    encoded.fill(0);
    return contents;
  }

  /** Properties of the TPM by TPM_PT, `count` from `first` on. */
  async properties(first: number, count: number): Promise<ReadonlyMap<number, number>> {
    const more = new Uint8Array(INT_SIZE);
    const cell = pointerCell();
    const { Esys_GetCapability } = this.#esys;
    const args = [this.#context, ...NO_SESSIONS, PROPERTIES, first, count, more, cell] as const;
    await this.#call("capability", Esys_GetCapability, ...args);
    const reader = new WireReader(this.connection.take("TPMS_CAPABILITY_DATA", cell));
    reader.u32();
    const found = new Map<number, number>();
    for (let left = reader.u32(); left > 0; left--) found.set(reader.u32(), reader.u32());
    return found;
  }

  /** Removes an object or session from the TPM. */
  async flush(object: number): Promise<void> {
    await this.#call("flush", this.#esys.Esys_FlushContext, this.#context, object);
  }

  get #esys() {
    return this.connection.libraries.esys;
  }

  get #context(): Deno.PointerValue {
    return this.connection.context;
  }

  #structure(...[structure, bytes]: [Parameters<typeof fromWire>[1], Uint8Array]) {
    return fromWire(this.connection.libraries, structure, bytes);
  }

  #call<A extends readonly unknown[]>(
    step: Step,
    nativeFunction: (...args: A) => Promise<number>,
    ...args: A
  ): Promise<void> {
    return this.connection.call(step, nativeFunction, ...args);
  }

  #check(step: Step, code: number): void {
    if (code !== 0) throw new TpmError(step, code);
  }
}
