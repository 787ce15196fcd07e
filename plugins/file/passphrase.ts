/**
 * Passphrase encodings of key files.
 *
 * @module
 */

/** Passphrase in the two encodings of key files. */
export interface Passphrase {
  readonly utf8: Uint8Array<ArrayBuffer>;
  /** UTF-16BE with a final zero character, for PKCS#12. */
  readonly bmpString: Uint8Array<ArrayBuffer>;
}

/** Encodes a passphrase. */
export function encodePassphrase(text: string): Passphrase {
  const bmpString = new Uint8Array(2 * (text.length + 1));
  const view = new DataView(bmpString.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i));
  return { utf8: new TextEncoder().encode(text), bmpString };
}

/** No passphrase. PKCS#12 distinguishes it from an empty passphrase. */
export const NO_PASSPHRASE: Passphrase = {
  utf8: new Uint8Array(0),
  bmpString: new Uint8Array(0),
};
