/**
 * The table of `doctor`'s findings: names, levels and descriptions.
 *
 * @module
 */

import { printable } from "../../errors.ts";

/** Severity of a finding. A "problem" makes the command fail. */
export type Level = "ok" | "note" | "warning" | "problem";

/** Days before expiry from which a warning asks for renewal. */
export const RENEWAL_DAYS = 14;

/** Findings by stable name. An error code as a name means that the program throws that error. */
export const FINDINGS = {
  // ARNs and regions
  "arns": ["ok", "the ARNs and the region fit together"],
  "arn-missing": ["problem", "an ARN was not given"],
  "arn-invalid": ["problem", "an ARN is malformed, or two are of different regions or partitions"],
  "arn-accounts": ["warning", "the ARNs are of different accounts"],
  "session-name": ["problem", "the session name has characters or a length that AWS refuses"],
  "region-differs": ["problem", "the region is not the trust anchor's"],
  "region-unknown": ["warning", "the region is of no known partition"],
  "endpoint-invalid": ["problem", "the endpoint is not a usable URL"],
  "endpoint-region": ["warning", "the endpoint is another region's"],
  "role-chain": ["ok", "the roles to assume fit together"],
  "role-chain-invalid": ["problem", "the flags of the roles to assume cannot be used"],
  // roles
  "roles": ["ok", "the users and ARNs of the roles in the file of --roles were checked"],
  "roles-invalid": ["problem", "the file of --roles cannot be used"],
  "role-unused": ["warning", "a role in the file of --roles has no clients"],
  // key and certificate
  "key": ["ok", "the private key was opened and matches the certificate"],
  "key-not-given": ["problem", "no certificate or key was named"],
  "usage": ["problem", "a source of a key or certificate is malformed"],
  "secret-source": ["problem", "a password or PIN could not be read from its source"],
  "key-not-found": ["problem", "a key or certificate does not exist"],
  "key-unreadable": ["problem", "a key or certificate file could not be read"],
  "key-format": ["problem", "a file is not a key or certificate, or is damaged"],
  "key-unsupported": ["problem", "the key's type is not supported"],
  "key-locked": ["problem", "the key could not be unlocked"],
  "key-mismatch": ["problem", "key and certificate do not match"],
  "keystore-unavailable": ["problem", "the keystore cannot be used on this system"],
  "certificate-format": ["problem", "a certificate is malformed"],
  "signature-wrong": ["problem", "the key's signature does not verify against the certificate"],
  // the keystore's own checks
  "keystore": ["ok", "the keystore has the identity"],
  "keystore-note": ["note", "the keystore's advice for the trust anchor"],
  "keystore-warning": ["warning", "the keystore's identity can soon not be used"],
  "keystore-problem": ["problem", "the keystore's identity cannot be used"],
  // certificate
  "certificate": ["ok", "Roles Anywhere accepts the certificate"],
  "certificate-expired": ["problem", "the certificate has expired"],
  "certificate-not-yet-valid": ["problem", "the certificate is not valid yet"],
  "certificate-expires-soon": ["warning", `the certificate expires within ${RENEWAL_DAYS} days`],
  "certificate-is-authority": ["problem", "the certificate is a CA certificate (CA:TRUE)"],
  "certificate-key-usage": ["problem", "the certificate's key usage lacks digital signature"],
  "certificate-version": ["problem", "the certificate is not X.509 version 3"],
  "certificate-signature": ["problem", "the certificate is signed with MD5 or SHA-1"],
  "certificate-constraints": ["warning", "the certificate has no CA:FALSE"],
  "certificate-weak-key": ["warning", "the certificate's RSA key has fewer than 2048 bits"],
  "certificate-subject": ["warning", "the certificate has an empty subject"],
  // chain
  "chain": ["ok", "the issuers that are sent form a path"],
  "chain-none": ["note", "no issuers are sent"],
  "chain-order": ["note", "the issuers are sent in another order than given"],
  "chain-broken": ["problem", "none of the certificates given is an issuer of the certificate"],
  "chain-unused": ["note", "certificates that are not on the path are not sent"],
  "certificate-chain": ["problem", "the chain is longer than the service accepts"],
  "chain-signature": ["problem", "an issuer did not sign the certificate below it"],
  "chain-expired": ["problem", "an issuer's certificate is not valid now"],
  "chain-not-authority": ["problem", "an issuer's certificate is not a CA certificate"],
  "chain-weak-signature": ["problem", "an issuer's certificate is signed with MD5 or SHA-1"],
  // files
  "files": ["ok", "no other user can read keys and passwords, or change files"],
  "key-file-open": ["problem", "others can read the private key's file"],
  "key-file-group": ["warning", "the group can read the private key's file"],
  "key-in-variable": ["note", "a variable has the private key"],
  "file-writable": ["problem", "others can change a file"],
  "directory-writable": ["problem", "others can replace files in a directory"],
  "file-owner": ["warning", "the file of a private key or of --roles belongs to another user"],
  "secret-file-open": ["problem", "others can read a file with a password or PIN"],
  // environment
  "secret-in-arguments": ["warning", "a password or PIN is in the process list"],
  "variable-unknown": ["warning", "a variable that begins with AWS_SIGNING_HELPER_ has no flag"],
  "static-credentials": ["warning", "variables have credentials that SDKs use before others"],
  "tls-keys-logged": ["problem", "SSLKEYLOGFILE requests a file with the TLS session's keys"],
  "verification-off": ["warning", "the service's TLS certificate is not checked"],
  "proxy-ignored": ["note", "proxy variables are set, and ignored by --with-proxy=false"],
  "proxy-invalid": ["problem", "a proxy variable is not the URL of an HTTP proxy"],
  "ca-bundle": ["problem", "the CA bundle cannot be used"],
  // profile, and what AWS SDKs find
  "profile": ["ok", "the flags of the profile's credential_process were checked"],
  "profile-missing": ["problem", "the profile does not exist, or has no credential_process"],
  "profile-command": ["problem", "the profile's credential_process cannot be run as written"],
  "profile-program": ["problem", "the program of credential_process cannot be run"],
  "profile-relative": [
    "warning",
    "a path in credential_process depends on the directory of the SDK",
  ],
  "profile-shell": ["warning", "SDKs parse the profile's credential_process differently"],
  "profile-unknown": ["warning", "AWS_PROFILE names a profile that is in neither file"],
  "other-provider": ["warning", "SDKs use another source of credentials first"],
  "endpoint": ["ok", "a variable's endpoint accepts connections"],
  "endpoint-variable": ["problem", "a variable for an endpoint is not an http URL"],
  "endpoint-unreachable": ["problem", "nothing accepts connections at a variable's endpoint"],
  "endpoint-slash": ["note", "the variable for the endpoint does not end with a slash"],
  "container-token": ["problem", "the file with the container token cannot be read"],
  "metadata-proxied": ["warning", "SDKs ask a proxy instead of serve"],
  "metadata-disabled": ["warning", "SDKs do not ask serve"],
  // keystore libraries and terminal
  "library": ["ok", "a keystore's library was found"],
  "library-absent": ["note", "a keystore's library was not found, and is not needed here"],
  "library-missing": ["problem", "the library of the named keystore was not found"],
  "terminal": ["ok", "a terminal can prompt for passwords"],
  "terminal-absent": ["note", "no terminal can prompt for passwords"],
  // network and clock
  "network": ["ok", "the service responds"],
  "network-skipped": ["note", "the network was not checked"],
  "dns": ["problem", "the service's name cannot be resolved"],
  "network-failed": ["problem", "the connection to the service failed"],
  "network-timeout": ["problem", "the service did not respond in time"],
  "tls": ["problem", "TLS with the service failed"],
  "service-answer": ["problem", "the response is not HTTP"],
  "clock": ["ok", "this machine's clock agrees with the service's"],
  "clock-off": ["warning", "this machine's clock differs by more than 30 seconds"],
  "clock-wrong": ["problem", "this machine's clock differs by more than 5 minutes"],
  "clock-unknown": ["note", "the service's response has no Date"],
  "internal": ["problem", "a check itself failed"],
} as const satisfies Record<string, readonly [Level, string]>;

/** Stable name of a finding. */
export type FindingName = keyof typeof FINDINGS;

/** Line of the report. */
export interface Finding {
  readonly level: Level;
  readonly name: FindingName;
  /** One sentence: the finding and what to do; never a secret. */
  readonly message: string;
}

/** Returns a finding with the level of the table. Its message is safe to paste into a report. */
export function finding(name: FindingName, message: string): Finding {
  return { level: FINDINGS[name][0], name, message: printable(message) };
}

/** Returns true if a name, such as an error code, is the name of a finding. */
export function isFindingName(name: string): name is FindingName {
  return Object.hasOwn(FINDINGS, name);
}

/** Returns the findings, with the finding `well` before them if none is a warning or a problem. */
export function okUnless(findings: readonly Finding[], well: Finding): readonly Finding[] {
  const bad = findings.some(({ level }) => level === "problem" || level === "warning");
  return bad ? findings : [well, ...findings];
}
