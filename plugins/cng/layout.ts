/**
 * Layout of the Windows structures that this keystore reads and writes: 64-bit, little-endian.
 *
 * @module
 */

/** Offsets of members in bytes, by structure. */
export const OFFSETS = {
  CERT_CONTEXT: { pbCertEncoded: 8, cbCertEncoded: 16 },
  CERT_CHAIN_CONTEXT: { cChain: 12, rgpChain: 16 },
  CERT_SIMPLE_CHAIN: { cElement: 12, rgpElement: 16 },
  CERT_CHAIN_ELEMENT: { pCertContext: 8 },
  CRYPT_KEY_PROV_INFO: {
    pwszContainerName: 0,
    pwszProvName: 8,
    dwProvType: 16,
    dwFlags: 20,
    dwKeySpec: 40,
  },
} as const;

/** Sizes of the written structures. CERT_CHAIN_PARA is without its later members. */
export const SIZES = { CERT_CHAIN_PARA: 32, BCRYPT_PKCS1_PADDING_INFO: 8 } as const;

/** Maximum length of a Windows name, in characters. */
const MAX_TEXT_LENGTH = 32_767;

/** Encodes text as UTF-16 with a final zero, `LPCWSTR`. */
export function wide(text: string): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(`${text}\0`, (character) => character.charCodeAt(0));
}

/** Reads the text at a `LPCWSTR`. Returns an empty text for null. */
export function readWide(pointer: Deno.PointerValue): string {
  if (!pointer) return "";
  const view = new Deno.UnsafePointerView(pointer);
  let text = "";
  for (let i = 0; i < MAX_TEXT_LENGTH; i++) {
    const unit = view.getUint16(2 * i);
    if (unit === 0) return text;
    text += String.fromCharCode(unit);
  }
  return text;
}

/** Copies the certificate in a `CERT_CONTEXT`. */
export function readCertificateContext(context: Deno.PointerObject): Uint8Array {
  const view = new Deno.UnsafePointerView(context);
  const encoded = view.getPointer(OFFSETS.CERT_CONTEXT.pbCertEncoded);
  const length = view.getUint32(OFFSETS.CERT_CONTEXT.cbCertEncoded);
  if (!encoded) return new Uint8Array();
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(encoded, length).slice(0));
}

/** Copies the certificates of the first path in a `CERT_CHAIN_CONTEXT`, end entity first. */
export function readChainContext(context: Deno.PointerObject): Uint8Array[] {
  const outer = new Deno.UnsafePointerView(context);
  const chains = outer.getUint32(OFFSETS.CERT_CHAIN_CONTEXT.cChain) > 0
    ? outer.getPointer(OFFSETS.CERT_CHAIN_CONTEXT.rgpChain)
    : null;
  const chain = chains && new Deno.UnsafePointerView(chains).getPointer(0);
  if (!chain) return [];
  const view = new Deno.UnsafePointerView(chain);
  const elements = view.getPointer(OFFSETS.CERT_SIMPLE_CHAIN.rgpElement);
  if (!elements) return [];
  const array = new Deno.UnsafePointerView(elements);
  const certificates: Uint8Array[] = [];
  for (let i = 0; i < view.getUint32(OFFSETS.CERT_SIMPLE_CHAIN.cElement); i++) {
    const element = array.getPointer(8 * i);
    const certificate = element &&
      new Deno.UnsafePointerView(element).getPointer(OFFSETS.CERT_CHAIN_ELEMENT.pCertContext);
    if (certificate) certificates.push(readCertificateContext(certificate));
  }
  return certificates;
}

/** Returns a `CERT_CHAIN_PARA` without requirements. */
export function chainParameters(): Uint8Array<ArrayBuffer> {
  const parameters = new Uint8Array(SIZES.CERT_CHAIN_PARA);
  new DataView(parameters.buffer).setUint32(0, parameters.length, true);
  return parameters;
}

/** Provider and container of a CryptoAPI key. */
export interface KeyProviderInfo {
  readonly container: string;
  readonly provider: string;
  /** `PROV_RSA_FULL` and others; 0 for a CNG key. */
  readonly type: number;
  readonly flags: number;
  readonly keySpec: number;
}

/** Reads a `CRYPT_KEY_PROV_INFO`, whose texts follow it in the same buffer. */
export function readKeyProviderInfo(info: Uint8Array<ArrayBuffer>): KeyProviderInfo {
  const view = new DataView(info.buffer);
  const offsets = OFFSETS.CRYPT_KEY_PROV_INFO;
  const text = (offset: number) =>
    readWide(Deno.UnsafePointer.create(view.getBigUint64(offset, true)));
  return {
    container: text(offsets.pwszContainerName),
    provider: text(offsets.pwszProvName),
    type: view.getUint32(offsets.dwProvType, true),
    flags: view.getUint32(offsets.dwFlags, true),
    keySpec: view.getUint32(offsets.dwKeySpec, true),
  };
}

/** Returns a `BCRYPT_PKCS1_PADDING_INFO`. It points to `algorithm`, which must live as long. */
export function pkcs1Padding(algorithm: Uint16Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const padding = new Uint8Array(SIZES.BCRYPT_PKCS1_PADDING_INFO);
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(algorithm));
  new DataView(padding.buffer).setBigUint64(0, BigInt(address), true);
  return padding;
}
