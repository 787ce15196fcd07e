/**
 * The structures of Windows that this keystore reads and writes, on 64-bit Windows, little-endian.
 *
 * @module
 */

/** `CERT_CONTEXT`: where a certificate's bytes stand. */
const CERT_CONTEXT = { encoded: 8, encodedLength: 16 } as const;
/** `CERT_CHAIN_CONTEXT`, `CERT_SIMPLE_CHAIN` and `CERT_CHAIN_ELEMENT`, offsets of what is read. */
const CHAIN = { chainCount: 12, chains: 16, elementCount: 12, elements: 16, context: 8 } as const;
/** `CERT_CHAIN_PARA` without the fields that later versions added. */
const CHAIN_PARAMETERS_BYTES = 32;
/** `CRYPT_KEY_PROV_INFO`: offsets of what is read. */
const KEY_PROVIDER_INFO = { container: 0, provider: 8, type: 16, flags: 20, keySpec: 40 } as const;
/** No name that Windows takes is longer, characters. */
const LONGEST_TEXT = 32_767;

/** UTF-16 text with the zero that ends it, `LPCWSTR`. */
export function wide(text: string): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(`${text}\0`, (character) => character.charCodeAt(0));
}

/** The text at a `LPCWSTR`; empty for null. */
export function readWide(pointer: Deno.PointerValue): string {
  if (!pointer) return "";
  const view = new Deno.UnsafePointerView(pointer);
  let text = "";
  for (let i = 0; i < LONGEST_TEXT; i++) {
    const unit = view.getUint16(2 * i);
    if (unit === 0) return text;
    text += String.fromCharCode(unit);
  }
  return text;
}

/** A copy of the certificate in a `CERT_CONTEXT`. */
export function readCertificateContext(context: Deno.PointerObject): Uint8Array {
  const view = new Deno.UnsafePointerView(context);
  const encoded = view.getPointer(CERT_CONTEXT.encoded);
  const length = view.getUint32(CERT_CONTEXT.encodedLength);
  if (!encoded) return new Uint8Array();
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(encoded, length).slice(0));
}

/** Copies of the certificates of the first path in a `CERT_CHAIN_CONTEXT`, end entity first. */
export function readChainContext(context: Deno.PointerObject): Uint8Array[] {
  const outer = new Deno.UnsafePointerView(context);
  const chains = outer.getUint32(CHAIN.chainCount) > 0 ? outer.getPointer(CHAIN.chains) : null;
  const chain = chains && new Deno.UnsafePointerView(chains).getPointer(0);
  if (!chain) return [];
  const view = new Deno.UnsafePointerView(chain);
  const elements = view.getPointer(CHAIN.elements);
  if (!elements) return [];
  const array = new Deno.UnsafePointerView(elements);
  const certificates: Uint8Array[] = [];
  for (let i = 0; i < view.getUint32(CHAIN.elementCount); i++) {
    const element = array.getPointer(8 * i);
    const certificate = element && new Deno.UnsafePointerView(element).getPointer(CHAIN.context);
    if (certificate) certificates.push(readCertificateContext(certificate));
  }
  return certificates;
}

/** A `CERT_CHAIN_PARA` that asks for nothing in particular. */
export function chainParameters(): Uint8Array<ArrayBuffer> {
  const parameters = new Uint8Array(CHAIN_PARAMETERS_BYTES);
  new DataView(parameters.buffer).setUint32(0, parameters.length, true);
  return parameters;
}

/** Where a key of CryptoAPI stands. */
export interface KeyProviderInfo {
  readonly container: string;
  readonly provider: string;
  /** `PROV_RSA_FULL` and others; 0 for a key of CNG. */
  readonly type: number;
  readonly flags: number;
  readonly keySpec: number;
}

/** Reads a `CRYPT_KEY_PROV_INFO` whose texts stand behind it in the same bytes. */
export function readKeyProviderInfo(info: Uint8Array<ArrayBuffer>): KeyProviderInfo {
  const view = new DataView(info.buffer);
  const text = (offset: number) =>
    readWide(Deno.UnsafePointer.create(view.getBigUint64(offset, true)));
  return {
    container: text(KEY_PROVIDER_INFO.container),
    provider: text(KEY_PROVIDER_INFO.provider),
    type: view.getUint32(KEY_PROVIDER_INFO.type, true),
    flags: view.getUint32(KEY_PROVIDER_INFO.flags, true),
    keySpec: view.getUint32(KEY_PROVIDER_INFO.keySpec, true),
  };
}

/** A `BCRYPT_PKCS1_PADDING_INFO`. It points at `algorithm`, which must live as long. */
export function pkcs1Padding(algorithm: Uint16Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const padding = new Uint8Array(8);
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(algorithm));
  new DataView(padding.buffer).setBigUint64(0, BigInt(address), true);
  return padding;
}
