/**
 * CoreFoundation and Security, opened together, and what is needed to hold their objects: whoever
 * creates or copies one puts it on a stack, and what is left on the stack is released at its end.
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

/** Those of macOS; the system keeps them out of everybody's reach. */
export const SYSTEM_FRAMEWORKS: FrameworkPaths = {
  coreFoundation: "/System/Library/Frameworks/CoreFoundation.framework/CoreFoundation",
  security: "/System/Library/Frameworks/Security.framework/Security",
};

/** An object of CoreFoundation, `CFTypeRef`. */
export type CFObject = Deno.PointerObject;

/** `kCFStringEncodingUTF8`. */
const UTF_8 = 0x0800_0100;
/** Names of constants, in either framework. */
type ConstantName = Extract<keyof typeof CORE_FOUNDATION | keyof typeof SECURITY, `k${string}`>;

/** The open frameworks. */
export class Frameworks implements Disposable {
  readonly coreFoundation: Deno.DynamicLibrary<typeof CORE_FOUNDATION>["symbols"];
  readonly security: Deno.DynamicLibrary<typeof SECURITY>["symbols"];
  readonly #opened = new DisposableStack();

  /** Opens both. Throws `keystore-unavailable` when they are not there. */
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

  /** The object that a constant names; nobody releases it. */
  constant(name: ConstantName): CFObject {
    const address = { ...this.coreFoundation, ...this.security }[name];
    const object = address && new Deno.UnsafePointerView(address).getPointer(0);
    if (object) return object;
    throw new HelperError("keystore-unavailable", `the Security framework has no ${name}`);
  }

  /** Puts an object that was created or copied on the stack; a null stays one. */
  track<T extends Deno.PointerValue>(object: T, stack: DisposableStack): T {
    if (object !== null) stack.defer(() => this.coreFoundation.CFRelease(object));
    return object;
  }

  /** Calls a function that writes an object to release; gives its status and the object. */
  copy(
    stack: DisposableStack,
    call: (result: BigUint64Array<ArrayBuffer>) => number,
  ): { status: number; object: CFObject | null } {
    const result = new BigUint64Array(1);
    const status = call(result);
    const object = this.track(Deno.UnsafePointer.create(result[0] ?? 0n), stack);
    return { status, object: status === 0 ? object : null };
  }

  /** A CFData with a copy of these bytes, on the stack. */
  data(bytes: Uint8Array<ArrayBuffer>, stack: DisposableStack): CFObject | null {
    const { CFDataCreate } = this.coreFoundation;
    return this.track(CFDataCreate(null, bytes, BigInt(bytes.length)), stack);
  }

  /** A copy of what a CFData holds. */
  bytesOf(data: CFObject): Uint8Array {
    const length = Number(this.coreFoundation.CFDataGetLength(data));
    const pointer = this.coreFoundation.CFDataGetBytePtr(data);
    if (!pointer || length === 0) return new Uint8Array();
    return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length).slice(0));
  }

  /** A CFDictionary of these keys and values, on the stack. */
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

  /** A CFArray of these objects, on the stack. */
  array(objects: readonly CFObject[], stack: DisposableStack): CFObject | null {
    const { CFArrayCreate, kCFTypeArrayCallBacks } = this.coreFoundation;
    const count = BigInt(objects.length);
    return this.track(
      CFArrayCreate(null, toAddressArray(objects), count, kCFTypeArrayCallBacks),
      stack,
    );
  }

  /** What an array holds; the array keeps it. */
  elementsOf(array: CFObject): CFObject[] {
    const { CFArrayGetCount, CFArrayGetValueAtIndex } = this.coreFoundation;
    const count = Number(CFArrayGetCount(array));
    return Array.from({ length: count }, (_, i) => CFArrayGetValueAtIndex(array, BigInt(i)))
      .filter((object) => object !== null);
  }

  /** The text of a CFString; empty when it is longer than any name of an error domain. */
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
