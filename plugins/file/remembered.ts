/**
 * Cache of opened PKCS#12 files for long-running commands, in memory only. Deriving their keys at
 * each refresh would take seconds.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import type { Pkcs12Contents } from "./pkcs12.ts";

interface OpenedFile {
  /** SHA-256 of the file. */
  readonly digest: string;
  readonly contents: Pkcs12Contents;
}

const caches = new WeakMap<object, Map<string, OpenedFile>>();

/**
 * Returns the result of `open`. Returns a copy of its earlier result in the same `lifetime` if the
 * file at `path` has the same bytes.
 */
export async function openOnce(
  lifetime: object,
  path: string,
  bytes: Uint8Array,
  open: () => Promise<Pkcs12Contents>,
): Promise<Pkcs12Contents> {
  const digest = encodeHex(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes)));
  const files = caches.get(lifetime) ?? new Map<string, OpenedFile>();
  caches.set(lifetime, files);
  const known = files.get(path);
  if (known?.digest === digest) return copyContents(known.contents);
  const contents = await open();
  if (known) wipeKeys(known.contents);
  files.set(path, { digest, contents: copyContents(contents) });
  return contents;
}

/** Overwrites the private keys. */
export function wipeKeys({ keys }: Pkcs12Contents): void {
  for (const key of keys) if ("der" in key) key.der.fill(0);
}

function copyContents({ keys, certificates }: Pkcs12Contents): Pkcs12Contents {
  return {
    keys: keys.map((key) => "der" in key ? { ...key, der: key.der.slice() } : key),
    certificates: [...certificates],
  };
}
