/**
 * Loads keys of TSS2 files under their parent, for each use.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { HelperError } from "../../../src/errors.ts";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import { ESYS_TR, formatHandle, HIERARCHIES, type Hierarchy } from "../structures/handles.ts";
import type { LoadedKey, TpmKey } from "./key.ts";
import { createPrimary, findObject, importKey, load, readPublic } from "../commands/objects.ts";
import type { Password } from "../auth/passwords.ts";
import { parsePolicySteps } from "../auth/policy.ts";
import {
  ATTRIBUTE,
  hasAttributes,
  isAsymmetricParent,
  parsePublicArea,
} from "../structures/public_area.ts";
import { SESSION_ATTRIBUTE, setAttributes, setPassword } from "../commands/sessions.ts";
import { EC_PARENT, RSA_PARENT } from "../structures/templates.ts";
import type { Transaction } from "./transaction.ts";
import type { Tss2Key } from "./tss2_key.ts";

const { continue: CONTINUE, decrypt: DECRYPT, encrypt: ENCRYPT } = SESSION_ATTRIBUTE;

/**
 * Returns the key of a TSS2 file, without sending a command; `label` names the file.
 *
 * Throws `WireError` if its public area is malformed, and `PolicyError` if its policy is not
 * supported. Throws `KeyTypeError` if the file does not list a required policy.
 */
export function toTpmKey(file: Tss2Key, label: string): TpmKey {
  const publicArea = parsePublicArea(file.publicArea);
  const policy = parsePolicySteps(file.policy);
  if (
    !hasAttributes(publicArea, ATTRIBUTE.userWithAuth) && policy.length === 0 &&
    publicArea.hasPolicy
  ) {
    throw new KeyTypeError(
      "the key requires a policy, and the file does not list that policy; write the file again " +
        "with it",
    );
  }
  const hierarchy = HIERARCHIES.find(({ handle }) => handle === file.parent);
  const description = file.description ? ` ("${file.description}")` : "";
  return {
    label,
    name: `the TPM key in ${label}${description}`,
    identity: encodeHex(file.publicArea) + encodeHex(file.privateArea),
    publicArea,
    policy,
    emptyAuth: file.emptyAuth,
    parent: {
      name: hierarchy
        ? `the TPM's ${hierarchy.name} hierarchy`
        : `the TPM key ${formatHandle(file.parent)} (the parent of ${label})`,
      identity: formatHandle(file.parent),
    },
    load: (transaction, password) => loadKey(file, hierarchy, transaction, password),
  };
}

/** A parent in a transaction, and the session for its password. */
interface LoadedParent extends LoadedKey {
  readonly session: number;
}

async function loadKey(
  file: Tss2Key,
  hierarchy: Hierarchy | undefined,
  transaction: Transaction,
  password: Password | undefined,
): Promise<LoadedKey> {
  const { connection } = transaction;
  const secret = await password?.current() ?? new Uint8Array(0);
  let parent: LoadedParent;
  try {
    parent = hierarchy
      ? await createParent(hierarchy, file.rsaParent, transaction, secret)
      : await findParent(file.parent, transaction, secret, password);
  } finally {
    secret.fill(0);
  }
  const { object, session, saltKey } = parent;
  const withSession = async <T>(command: () => Promise<T>): Promise<T> => {
    if (session !== ESYS_TR.password) setAttributes(connection, session, CONTINUE | DECRYPT);
    return await transaction.runWithPassword("parent", command);
  };
  const { seed } = file;
  const privateArea = seed
    ? await withSession(() =>
      importKey(connection, object, session, file.publicArea, file.privateArea, seed)
    )
    : file.privateArea;
  const key = await withSession(() =>
    transaction.track((into) =>
      load(connection, object, session, privateArea, file.publicArea, into)
    )
  );
  password?.accept();
  return { object: key, ...(saltKey === undefined ? {} : { saltKey }) };
}

/** Creates the primary key of a hierarchy, without a password. */
async function createParent(
  hierarchy: Hierarchy,
  isRsa: boolean,
  transaction: Transaction,
  secret: Uint8Array,
): Promise<LoadedParent> {
  const { connection, access } = transaction;
  access.context.debug(`tpm: parent: ${isRsa ? "RSA" : "EC"} primary key, ${hierarchy.name}`);
  let session: number = ESYS_TR.password;
  if (secret.length > 0) {
    setPassword(connection, hierarchy.esys, secret);
    session = await transaction.saltedSession();
    setAttributes(connection, session, CONTINUE | DECRYPT | ENCRYPT);
  }
  const object = await transaction.runWithPassword(
    "parent",
    () =>
      transaction.track((into) =>
        createPrimary(connection, hierarchy.esys, session, isRsa ? RSA_PARENT : EC_PARENT, into)
      ),
  );
  return { object, session: ESYS_TR.password, saltKey: object };
}

async function findParent(
  handle: number,
  transaction: Transaction,
  secret: Uint8Array,
  password: Password | undefined,
): Promise<LoadedParent> {
  const { connection, access } = transaction;
  access.context.debug(`tpm: parent: ${formatHandle(handle)}`);
  const object = await findObject(connection, handle, "find-parent");
  const area = parsePublicArea(await readPublic(connection, object, "find-parent"));
  if (!hasAttributes(area, ATTRIBUTE.restricted | ATTRIBUTE.decrypt)) {
    throw new HelperError(
      "key-format",
      `${access.label}: its parent ${formatHandle(handle)} is not a storage key; write the file ` +
        "again with the parent that the key was made under",
    );
  }
  const salt = isAsymmetricParent(area) ? { saltKey: object } : {};
  if (secret.length === 0) {
    const isCounted = !hasAttributes(area, ATTRIBUTE.noDA);
    if (isCounted && password?.isGuess) await transaction.checkGuessAllowed(password.options);
    return { object, session: ESYS_TR.password, ...salt };
  }
  setPassword(connection, object, secret);
  return { object, session: await transaction.saltedSession(salt.saltKey), ...salt };
}
