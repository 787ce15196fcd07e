import { Refusal } from "./refusals.ts";

/** Parts of the Authorization header. */
export interface Authorization {
  readonly algorithm: string;
  /** The certificate's serial number in decimal, as sent. */
  readonly serialNumber: string;
  readonly date: string;
  readonly region: string;
  readonly scope: string;
  readonly signedHeaders: readonly string[];
  readonly signature: Uint8Array<ArrayBuffer>;
}

const FORMAT =
  /^(?<algorithm>[A-Z0-9-]+) Credential=(?<credential>[^ ,]+), ?SignedHeaders=(?<signedHeaders>[^ ,]+), ?Signature=(?<signature>[^ ,]+)$/;
const SCOPE =
  /^(?<serialNumber>0|[1-9]\d*)\/(?<scope>(?<date>\d{8})\/(?<region>[a-z0-9-]+)\/rolesanywhere\/aws4_request)$/;
const HEX = /^(?:[0-9a-f]{2})+$/;

/** Reads `ALGORITHM Credential=…, SignedHeaders=…, Signature=…`; throws Refusal on any other form. */
export function readAuthorization(header: string): Authorization {
  const { algorithm, credential, signedHeaders, signature } = FORMAT.exec(header)?.groups ?? {};
  if (
    algorithm === undefined || credential === undefined || signedHeaders === undefined ||
    signature === undefined
  ) {
    throw new Refusal("authorization-malformed");
  }
  const { serialNumber, scope, date, region } = SCOPE.exec(credential)?.groups ?? {};
  if (
    serialNumber === undefined || scope === undefined || date === undefined || region === undefined
  ) {
    throw new Refusal("scope-malformed", credential);
  }
  if (!HEX.test(signature)) {
    throw new Refusal("authorization-malformed", "Signature is not lower-case hex");
  }
  return {
    algorithm,
    serialNumber,
    date,
    region,
    scope,
    signedHeaders: signedHeaderNames(signedHeaders),
    signature: Uint8Array.from(signature.match(/../g) ?? [], (octet) => parseInt(octet, 16)),
  };
}

function signedHeaderNames(list: string): string[] {
  const names = list.split(";");
  const ordered = names.every((name, index) => index === 0 || (names[index - 1] ?? "") < name);
  if (!ordered || !names.every((name) => /^[a-z0-9-]+$/.test(name))) {
    throw new Refusal("signed-headers-malformed", list);
  }
  return names;
}
