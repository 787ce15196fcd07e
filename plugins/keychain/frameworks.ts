/**
 * Frameworks CoreFoundation and Security, and ownership of their objects. A created or copied object
 * goes on a stack, whose disposal releases it.
 *
 * @module
 */
import { HelperError } from "../../src/errors.ts";
import { CORE_FOUNDATION, SECURITY } from "./ffi.ts";

/** Paths of the two frameworks. */
export interface FrameworkPaths {
  readonly coreFoundation: string;
  readonly security: string;
}

/** Frameworks of macOS, which the system protects against changes. */
export const SYSTEM_FRAMEWORKS: FrameworkPaths = {
  coreFoundation: "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation",
  security: "/System/Library/Frameworks/Security.framework/Security",
};

/** CoreFoundation object, `CFTypeRef`. */
export type CFObject = Deno.PointerObject;

/** `kCFStringEncodingUTF8`. */
const UTF_8 = 0x0800_0100;
/** Name of a constant in either framework. */
type ConstantName = Extract<keyof typeof CORE_FOUNDATION | keyof typeof SECURITY, `k${string}`>;

/** Open frameworks. */
export class Frameworks implements Disposable {
  readonly coreFoundation: Deno.DynamicLibrary<typeof CORE_FOUNDATION>["symbols"];
  readonly security: Deno.DynamicLibrary<typeof SECURITY>["symbols"];
  readonly #opened = new DisposableStack();

  /** Opens both frameworks. Throws `keystore-unavailable` if they do not exist. */
  constructor(paths: FrameworkPaths) {
    try {
      this.coreFoundation = this.#open(paths.coreFoundation, CORE_FOUNDATION);
      this.security = this.#open(paths.security, SECURITY);
    } catch (cause) {
      this.#opened.dispose();
      throw new HelperError(
        "keystore-unavailable",
        "the macOS Keychain cannot be used: the Security framework does not open; " +
          "this needs macOS 10.14 or later",
        { cause },
      );
    }
  }

  #open<T extends Deno.ForeignLibraryInterface>(
    path: string,
    symbols: T,
  ): Deno.DynamicLibrary<T>["symbols"] {
    const library = Deno.dlopen(path, symbols);
    this.#opened.defer(() => library.close());
    return library.symbols;
  }

  /** Returns the object of a constant. It must not be released. */
  constant(name: ConstantName): CFObject {
    const address = { ...this.coreFoundation, ...this.security }[name];
    const object = address && new Deno.UnsafePointerView(address).getPointer(0);
    if (object) return object;
    throw new HelperError("keystore-unavailable", `the Security framework has no ${name}`);
  }

  /** Puts a created or copied object on the stack. Ignores and returns null. */
  track<T extends Deno.PointerValue>(object: T, stack: DisposableStack): T {
    if (object !== null) stack.defer(() => this.coreFoundation.CFRelease(object));
    return object;
  }

  /** Calls a function that writes a new object. Returns its status and the tracked object. */
  copy(
    stack: DisposableStack,
    call: (result: BigUint64Array<ArrayBuffer>) => number,
  ): { status: number; object: CFObject | null } {
    const result = new BigUint64Array(1);
    const status = call(result);
    const object = this.track(Deno.UnsafePointer.create(result[0] ?? 0n), stack);
    return { status, object: status === 0 ? object : null };
  }

  /** Creates a tracked CFData with a copy of `bytes`. */
  data(bytes: Uint8Array<ArrayBuffer>, stack: DisposableStack): CFObject | null {
    const { CFDataCreate } = this.coreFoundation;
    return this.track(CFDataCreate(null, bytes, BigInt(bytes.length)), stack);
  }

  /** Copies the bytes of a CFData. */
  bytesOf(data: CFObject): Uint8Array {
    const length = Number(this.coreFoundation.CFDataGetLength(data));
    const pointer = this.coreFoundation.CFDataGetBytePtr(data);
    if (!pointer || length === 0) return new Uint8Array();
    return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length).slice(0));
  }

  /** Creates a tracked CFDictionary of keys and values. */
  dictionary(entries: readonly (readonly [CFObject, CFObject])[], stack: DisposableStack) {
    const { coreFoundation } = this;
    return this.track(
      coreFoundation.CFDictionaryCreate(
        null,
        toAddressArray(entries.map(([key]) => key)),
        toAddressArray(entries.map(([, value]) => value)),
        BigInt(entries.length),
        coreFoundation.kCFTypeDictionaryKeyCallBacks,
        coreFoundation.kCFTypeDictionaryValueCallBacks,
      ),
      stack,
    );
  }

  /** Creates a tracked CFArray of objects. */
  array(objects: readonly CFObject[], stack: DisposableStack): CFObject | null {
    const { CFArrayCreate, kCFTypeArrayCallBacks } = this.coreFoundation;
    const count = BigInt(objects.length);
    return this.track(
      CFArrayCreate(null, toAddressArray(objects), count, kCFTypeArrayCallBacks),
      stack,
    );
  }

  /** Returns the elements of an array. The array owns them. */
  elementsOf(array: CFObject): CFObject[] {
    const { CFArrayGetCount, CFArrayGetValueAtIndex } = this.coreFoundation;
    const count = Number(CFArrayGetCount(array));
    return Array.from({ length: count }, (_, i) => CFArrayGetValueAtIndex(array, BigInt(i)))
      .filter((object) => object !== null);
  }

  /** Returns the text of a CFString, or an empty text if it is longer than any error domain. */
  textOf(string: Deno.PointerValue): string {
    const bytes = new Uint8Array(256);
    const { CFStringGetCString } = this.coreFoundation;
    if (!string || !CFStringGetCString(string, bytes, BigInt(bytes.length), UTF_8)) return "";
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  [Symbol.dispose](): void {
    this.#opened.dispose();
  }
}

function toAddressArray(objects: readonly CFObject[]): BigUint64Array<ArrayBuffer> {
  return BigUint64Array.from(objects, (object) => BigInt(Deno.UnsafePointer.value(object)));
}
