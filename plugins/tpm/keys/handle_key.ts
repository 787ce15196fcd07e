/**
 * Finds keys in the TPM by their handles.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { KeyTypeError } from "../../../src/x509/key_types.ts";
import { formatHandle, parseHandle } from "../structures/handles.ts";
import type { TpmKey } from "./key.ts";
import { deserialize, findObject, readPublic, serialize } from "../commands/objects.ts";
import { ATTRIBUTE, hasAttributes, parsePublicArea } from "../structures/public_area.ts";
import type { TpmAccess } from "./transaction.ts";
import { withTpm } from "./with_tpm.ts";

/**
 * Reads the public area of the key at a handle, without a password.
 *
 * Throws `usage` if `text` is not a handle, and `KeyTypeError` if the key requires a policy.
 */
export async function findKey(text: string, access: TpmAccess): Promise<TpmKey> {
  const handle = parseHandle(text, access.label);
  const { encoded, serialized } = await withTpm(access, async ({ connection }) => {
    const object = await findObject(connection, handle, "find-key");
    return {
      encoded: await readPublic(connection, object, "find-key"),
      serialized: serialize(connection, object),
    };
  });
  const publicArea = parsePublicArea(encoded);
  if (!hasAttributes(publicArea, ATTRIBUTE.userWithAuth) && publicArea.hasPolicy) {
    throw new KeyTypeError(
      "the key requires a policy, which a handle does not include; name its TSS2 file, with the " +
        "policy in it",
    );
  }
  return {
    label: access.label,
    name: `the TPM key ${access.label}`,
    identity: `${formatHandle(handle)} ${encodeHex(encoded)}`,
    publicArea,
    policy: [],
    emptyAuth: false,
    load: ({ connection }) => Promise.resolve({ object: deserialize(connection, serialized) }),
  };
}
