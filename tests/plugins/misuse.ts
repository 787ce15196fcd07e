/**
 * Program that misuses a double of a store in one way, which must end the process. Arguments: the
 * library, and the name of the way.
 *
 * @module
 */
import { CRYPT32, NCRYPT } from "../../plugins/cng/ffi.ts";
import { wide } from "../../plugins/cng/layout.ts";
import { CORE_FOUNDATION, SECURITY } from "../../plugins/keychain/ffi.ts";
import { CngDouble } from "./cng/double.ts";
import { KeychainDouble } from "./keychain/double.ts";

const [library = "", way = "", certificatePath = "", keyPath = ""] = Deno.args;
const encoded = Deno.readFileSync(certificatePath);

function misuseWindows(): void {
  const double = new CngDouble(library);
  double.hold([{ encoded, keyPath, kind: "cng" }]);
  const { symbols } = Deno.dlopen(library, CRYPT32);
  const store = symbols.CertOpenStore(10n, 0, 0n, 0x1c000, wide("MY"));
  const context = symbols.CertEnumCertificatesInStore(store, null);
  const key = new BigUint64Array(1);
  // deno-fmt-ignore
  const acquire = (flags: number) => symbols.CryptAcquireCertificatePrivateKey(
    context, flags, null, key, new Uint32Array(1), new Int32Array(1),
  );
  switch (way) {
    case "open for writing":
      symbols.CertOpenStore(10n, 0, 0n, 0x10000, wide("MY"));
      break;
    case "close early":
      symbols.CertCloseStore(store, 0);
      break;
    case "free twice":
      symbols.CertFreeCertificateContext(context);
      symbols.CertFreeCertificateContext(context);
      break;
    case "open a window":
      acquire(0x20000);
      break;
    case "free a key twice": {
      acquire(0x20044);
      const ncrypt = Deno.dlopen(library, NCRYPT).symbols;
      ncrypt.NCryptFreeObject(key[0] ?? 0n);
      ncrypt.NCryptFreeObject(key[0] ?? 0n);
      break;
    }
  }
}

function misuseMac(): void {
  const double = new KeychainDouble(library);
  double.hold([{ encoded, keyPath }]);
  const { symbols } = Deno.dlopen(library, CORE_FOUNDATION);
  const security = Deno.dlopen(library, SECURITY).symbols;
  const data = symbols.CFDataCreate(null, new Uint8Array(3), 3n);
  switch (way) {
    case "release twice":
      symbols.CFRelease(data);
      symbols.CFRelease(data);
      break;
    case "release null":
      symbols.CFRelease(null);
      break;
    case "use after release":
      symbols.CFRelease(data);
      symbols.CFDataGetLength(data);
      break;
    case "another type":
      symbols.CFArrayGetCount(data);
      break;
    case "a constant's address":
      symbols.CFRetain(security.kSecClass);
      break;
    case "use the network": {
      const trust = new BigUint64Array(1);
      const identities = new BigUint64Array(1);
      const constant = (address: Deno.PointerValue) =>
        address && new Deno.UnsafePointerView(address).getBigUint64(0);
      const query = symbols.CFDictionaryCreate(
        null,
        BigUint64Array.of(
          ...[security.kSecClass, security.kSecReturnRef, security.kSecMatchLimit].map((name) =>
            constant(name) ?? 0n
          ),
        ),
        BigUint64Array.of(
          ...[security.kSecClassIdentity, symbols.kCFBooleanTrue, security.kSecMatchLimitAll].map(
            (name) => constant(name) ?? 0n,
          ),
        ),
        3n,
        symbols.kCFTypeDictionaryKeyCallBacks,
        symbols.kCFTypeDictionaryValueCallBacks,
      );
      security.SecItemCopyMatching(query, identities);
      const array = Deno.UnsafePointer.create(identities[0] ?? 0n);
      const certificate = new BigUint64Array(1);
      security.SecIdentityCopyCertificate(symbols.CFArrayGetValueAtIndex(array, 0n), certificate);
      const certificates = symbols.CFArrayCreate(
        null,
        certificate,
        1n,
        symbols.kCFTypeArrayCallBacks,
      );
      const policy = security.SecPolicyCreateBasicX509();
      security.SecTrustCreateWithCertificates(certificates, policy, trust);
      const evaluated = Deno.UnsafePointer.create(trust[0] ?? 0n);
      security.SecTrustEvaluateWithError(evaluated, new BigUint64Array(1));
      break;
    }
  }
}

if (library.includes("cng")) misuseWindows();
else misuseMac();
