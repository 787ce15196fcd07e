/**
 * Parser for `TSS2 PRIVATE KEY` files ("ASN.1 Specification for TPM 2.0 Key Files",
 * draft-bottomley-tpm2-keys).
 *
 * @module
 */
import { printable } from "../../../src/errors.ts";
import {
  contextTag,
  DerError,
  DerReader,
  readSequence,
  TAG,
  unsigned,
} from "../../../src/x509/der.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import { HIERARCHIES, isPersistent } from "../structures/handles.ts";
import type { PolicyCommand } from "../auth/policy.ts";

/** Key kinds by object identifier. */
const KINDS = {
  "2.23.133.10.1.3": "loadable",
  "2.23.133.10.1.4": "importable",
  "2.23.133.10.1.5": "sealed",
} as const;

/** Parsed TSS2 key file. Byte arrays share the memory of the input. */
export interface Tss2Key {
  readonly kind: (typeof KINDS)[keyof typeof KINDS];
  /** True if the file declares an empty password. A hint: the password may have been changed. */
  readonly emptyAuth: boolean;
  readonly policy: readonly PolicyCommand[];
  /**
   * TPM2B_ENCRYPTED_SECRET of an importable key, which another machine encrypted for its parent.
   */
  readonly seed?: Uint8Array;
  /** The file's free text, made printable. */
  readonly description?: string;
  /** True if the hierarchy's primary key is RSA, not EC. */
  readonly rsaParent: boolean;
  /** TPM_HANDLE of a hierarchy or of a persistent parent. */
  readonly parent: number;
  /** TPM2B_PUBLIC. */
  readonly publicArea: Uint8Array;
  /** TPM2B_PRIVATE. */
  readonly privateArea: Uint8Array;
}

const OPTIONAL = {
  emptyAuth: 0,
  policy: 1,
  secret: 2,
  authPolicy: 3,
  description: 4,
  rsaParent: 5,
} as const;

/** Some writers leave the parent at zero for the owner hierarchy. */
const UNSET_PARENT = 0;

/**
 * Parses one key in DER.
 *
 * Throws {@link DerError} if it is malformed, and `KeyTypeError` if its type or parent is not in
 * the format.
 */
export function parseTss2Key(der: Uint8Array): Tss2Key {
  const reader = readSequence(der);
  const oid = reader.objectIdentifier();
  if (oid === OLD_LOADABLE) return parseKeyBlob(reader);
  const kind = Object.entries(KINDS).find(([known]) => known === oid)?.[1];
  if (!kind) {
    throw new KeyTypeError(
      `TPM keys of type ${oid} are not supported; make a loadable, importable or sealed key`,
    );
  }
  const options = readOptions(reader);
  const parent = readParent(reader);
  const publicArea = reader.octetString();
  const privateArea = reader.octetString();
  reader.end();
  const seed = options.get(OPTIONAL.secret)?.octetString();
  if (kind === "importable" && !seed) throw new DerError("an importable key without its secret");
  const description = options.get(OPTIONAL.description)?.expect(TAG.utf8String).contents;
  return {
    kind,
    emptyAuth: readBoolean(options.get(OPTIONAL.emptyAuth)),
    policy: readPolicy(options.get(OPTIONAL.policy)),
    ...(seed ? { seed } : {}),
    ...(description ? { description: printable(new TextDecoder().decode(description), 80) } : {}),
    rsaParent: readBoolean(options.get(OPTIONAL.rsaParent)),
    parent,
    publicArea,
    privateArea,
  };
}

/** Type of a `TSS2 KEY BLOB`, which openssl_tpm2_engine wrote before the draft. */
const OLD_LOADABLE = "2.23.133.10.2";
const OLD_OPTIONAL = { emptyAuth: 0, parent: 1, publicArea: 2 } as const;

function parseKeyBlob(reader: DerReader): Tss2Key {
  const options = readOptions(reader);
  const privateArea = reader.octetString();
  reader.end();
  const publicArea = options.get(OLD_OPTIONAL.publicArea)?.octetString();
  if (!publicArea) throw new DerError("a TPM key without its public part");
  const parent = options.get(OLD_OPTIONAL.parent);
  return {
    kind: "loadable",
    emptyAuth: readBoolean(options.get(OLD_OPTIONAL.emptyAuth)),
    policy: [],
    rsaParent: false,
    parent: readParent(parent ?? new DerReader(Uint8Array.of(TAG.integer, 1, UNSET_PARENT))),
    publicArea,
    privateArea,
  };
}

/** Reads the optional fields by tag number, including unknown ones of later versions. */
function readOptions(reader: DerReader): Map<number, DerReader> {
  const options = new Map<number, DerReader>();
  while ((reader.peekTag() ?? 0) >= contextTag(0, true)) {
    const { tag, contents } = reader.next();
    const number = tag - contextTag(0, true);
    if (options.has(number)) throw new DerError(`a duplicate optional field ${number}`);
    options.set(number, new DerReader(contents));
  }
  return options;
}

/** Reads a BOOLEAN. Any non-zero byte is true; some writers do not use 0xFF. */
function readBoolean(reader: DerReader | undefined): boolean {
  return reader !== undefined && reader.expect(TAG.boolean).contents.some((byte) => byte !== 0);
}

function readParent(reader: DerReader): number {
  const parent = readNumber(reader);
  const known = parent === UNSET_PARENT || isPersistent(parent) ||
    HIERARCHIES.some(({ handle }) => handle === parent);
  if (!known) {
    throw new KeyTypeError(
      `the key's parent 0x${parent.toString(16)} is neither a hierarchy nor a persistent key; ` +
        "correct the parent in the file",
    );
  }
  return parent === UNSET_PARENT ? HIERARCHIES[0]?.handle ?? UNSET_PARENT : parent;
}

/** Reads a 32-bit INTEGER as unsigned, because some writers encode handles as negative numbers. */
function readNumber(reader: DerReader): number {
  const contents = reader.integer();
  const bytes = contents.length > 4 ? unsigned(contents) : contents;
  if (bytes.length > 4) throw new DerError("a number of more than 32 bits");
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

function readPolicy(reader: DerReader | undefined): PolicyCommand[] {
  const commands: PolicyCommand[] = [];
  for (const list = reader?.sequence(); list && !list.atEnd;) {
    const command = list.sequence();
    const code = readNumber(new DerReader(command.expect(contextTag(0, true)).contents));
    // Some files omit empty parameters.
    const parameters = command.optional(contextTag(1, true))?.contents;
    command.end();
    commands.push({
      code,
      parameters: parameters ? new DerReader(parameters).octetString() : new Uint8Array(0),
    });
  }
  return commands;
}
