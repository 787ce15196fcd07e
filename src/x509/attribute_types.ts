/**
 * Attribute types of distinguished names, and their short names and aliases.
 *
 * @module
 */

/** Short names of attribute types, by object identifier (RFC 4519, and E from PKCS#9). */
export const ATTRIBUTE_NAMES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "SERIALNUMBER",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "STREET",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "T",
  "2.5.4.17": "POSTALCODE",
  "2.5.4.42": "GN",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "E",
};

/** Other names of attribute types in OpenSSL, Windows and Java, in lower case. */
const ALIASES: Readonly<Record<string, string>> = {
  commonname: "2.5.4.3",
  surname: "2.5.4.4",
  countryname: "2.5.4.6",
  localityname: "2.5.4.7",
  s: "2.5.4.8",
  stateorprovincename: "2.5.4.8",
  streetaddress: "2.5.4.9",
  organizationname: "2.5.4.10",
  organizationalunitname: "2.5.4.11",
  title: "2.5.4.12",
  g: "2.5.4.42",
  givenname: "2.5.4.42",
  userid: "0.9.2342.19200300.100.1.1",
  domaincomponent: "0.9.2342.19200300.100.1.25",
  email: "1.2.840.113549.1.9.1",
  emailaddress: "1.2.840.113549.1.9.1",
};

const OBJECT_IDENTIFIERS = new Map([
  ...Object.entries(ATTRIBUTE_NAMES).map(([oid, name]) => [name.toLowerCase(), oid] as const),
  ...Object.entries(ALIASES),
]);

/** Returns the object identifier of an attribute type, from its name or itself; else undefined. */
export function attributeTypeOf(written: string): string | undefined {
  const dotted = /^(?:OID\.)?([012](?:\.(?:0|[1-9]\d*))+)$/i.exec(written)?.[1];
  return dotted ?? OBJECT_IDENTIFIERS.get(written.toLowerCase());
}
