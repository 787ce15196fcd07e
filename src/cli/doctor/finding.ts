/**
 * What `doctor` can find: THE table of names and levels.
 *
 * @module
 */

import { printable } from "../../errors.ts";

/** How bad a finding is. A "problem" makes the command fail. */
export type Level = "ok" | "note" | "warning" | "problem";

/** Every finding by its stable name. Names that are error codes are what the program would throw. */
export const FINDINGS = {
  // ARNs and regions
  "arns": ["ok", "the ARNs and the region fit together"],
  "arn-missing": ["problem", "an ARN was not given"],
  "arn-invalid": ["problem", "an ARN is malformed, or two are of different regions or partitions"],
  "arn-accounts": ["warning", "the ARNs are of different accounts"],
  "session-name": ["problem", "the session name has characters or a length that AWS refuses"],
  "region-differs": ["problem", "the region is not the trust anchor's"],
  "region-unknown": ["warning", "the region is of no known partition"],
  "endpoint-invalid": ["problem", "the endpoint is no URL that can be used"],
  "endpoint-region": ["warning", "the endpoint is another region's"],
  // key and certificate
  "key": ["ok", "the private key was opened, and signs for the certificate"],
  "key-not-given": ["problem", "no certificate or key was named"],
  "usage": ["problem", "a source of a key or certificate is malformed"],
  "secret-source": ["problem", "a password or PIN could not be read from its source"],
  "key-not-found": ["problem", "a key or certificate does not exist"],
  "key-unreadable": ["problem", "a key or certificate file could not be read"],
  "key-format": ["problem", "a file is no key or certificate, or is damaged"],
  "key-unsupported": ["problem", "the key is of a kind that cannot be used"],
  "key-locked": ["problem", "the key could not be unlocked"],
  "key-mismatch": ["problem", "key and certificate are not a pair"],
  "keystore-unavailable": ["problem", "the keystore cannot be used on this system"],
  "certificate-format": ["problem", "a certificate is malformed"],
  "signature-wrong": ["problem", "what the key signs does not verify with the certificate"],
  // certificate
  "certificate": ["ok", "the certificate is one that Roles Anywhere takes"],
  "certificate-expired": ["problem", "the certificate has expired"],
  "certificate-not-yet-valid": ["problem", "the certificate is not valid yet"],
  "certificate-expires-soon": ["warning", "the certificate expires within 14 days"],
  "certificate-is-authority": ["problem", "the certificate is an authority's (CA:TRUE)"],
  "certificate-key-usage": ["problem", "the certificate's key usage lacks digital signature"],
  "certificate-version": ["problem", "the certificate is not X.509 version 3"],
  "certificate-signature": ["problem", "the certificate is signed with MD5 or SHA-1"],
  "certificate-constraints": ["warning", "the certificate does not say CA:FALSE"],
  "certificate-weak-key": ["warning", "the certificate's RSA key has less than 2048 bits"],
  "certificate-subject": ["warning", "the certificate has an empty subject"],
  // chain
  "chain": ["ok", "the issuers that are sent form a path"],
  "chain-none": ["note", "no issuers are sent"],
  "chain-order": ["note", "the issuers were given in another order, and are put in order"],
  "chain-broken": ["problem", "none of the certificates given is an issuer of the certificate"],
  "chain-unused": ["note", "certificates that are not on the path are not sent"],
  "certificate-chain": ["problem", "the chain is longer than the service takes"],
  "chain-signature": ["problem", "an issuer did not sign the certificate below it"],
  "chain-expired": ["problem", "an issuer's certificate is not valid at this time"],
  "chain-not-authority": ["problem", "an issuer's certificate is no authority's"],
  "chain-weak-signature": ["problem", "an issuer's certificate is signed with MD5 or SHA-1"],
  // files
  "files": ["ok", "the files are open to nobody else"],
  "key-file-open": ["problem", "others can read the private key's file"],
  "key-file-group": ["warning", "the group can read the private key's file"],
  "file-writable": ["problem", "others can change a file"],
  "directory-writable": ["problem", "others can replace files in a directory"],
  "file-owner": ["warning", "a private key's file belongs to another user"],
  "secret-file-open": ["problem", "others can read a file that holds a password or PIN"],
  // environment
  "secret-in-arguments": ["warning", "a password or PIN stands in the process list"],
  "variable-unknown": ["warning", "a variable that begins with AWS_SIGNING_HELPER_ has no flag"],
  "static-credentials": ["warning", "variables hold credentials that SDKs use before others"],
  "tls-keys-logged": ["problem", "SSLKEYLOGFILE would write the keys of the TLS session"],
  "verification-off": ["warning", "the service's TLS certificate is not checked"],
  "proxy-ignored": ["note", "proxy variables are set, and ignored by --with-proxy=false"],
  "proxy-invalid": ["problem", "a proxy variable holds no HTTP proxy's URL"],
  "ca-bundle": ["problem", "the CA bundle cannot be used"],
  // profile, and what AWS SDKs find
  "profile": ["ok", "the flags of the profile's credential_process were checked"],
  "profile-missing": ["problem", "the profile does not exist, or has no credential_process"],
  "profile-command": ["problem", "the profile's credential_process cannot be run as it is written"],
  "profile-program": ["problem", "the program of credential_process cannot be run"],
  "profile-shell": ["warning", "SDKs read the profile's credential_process differently"],
  "profile-unknown": ["warning", "AWS_PROFILE names a profile that is in neither file"],
  "other-provider": ["warning", "SDKs use another source of credentials first"],
  "endpoint": ["ok", "an endpoint that a variable names accepts connections"],
  "endpoint-variable": ["problem", "a variable for an endpoint does not hold an http URL"],
  "endpoint-unreachable": ["problem", "nothing accepts connections where a variable points"],
  "endpoint-slash": ["note", "the variable for the endpoint has no slash at its end"],
  "container-token": ["problem", "the file with the container token cannot be read"],
  "metadata-proxied": ["warning", "SDKs ask a proxy instead of serve"],
  "metadata-disabled": ["warning", "SDKs do not ask serve"],
  // keystore libraries and terminal
  "library": ["ok", "a keystore's library was found"],
  "library-absent": ["note", "a keystore's library was not found, and is not needed here"],
  "library-missing": ["problem", "the library of the keystore that was named was not found"],
  "terminal": ["ok", "there is a terminal to ask for passwords on"],
  "terminal-absent": ["note", "there is no terminal to ask for passwords on"],
  // network and clock
  "network": ["ok", "the service answers"],
  "network-skipped": ["note", "the network was not tried"],
  "dns": ["problem", "the service's name cannot be found"],
  "network-failed": ["problem", "there is no connection to the service, or it broke"],
  "network-timeout": ["problem", "the service does not answer in time"],
  "tls": ["problem", "TLS with the service failed"],
  "service-answer": ["problem", "what answers does not speak HTTP"],
  "clock": ["ok", "this machine's clock agrees with the service's"],
  "clock-off": ["warning", "this machine's clock differs by more than 30 seconds"],
  "clock-wrong": ["problem", "this machine's clock differs by more than 5 minutes"],
  "clock-unknown": ["note", "the service did not tell the time"],
  "internal": ["problem", "a check itself failed"],
} as const satisfies Record<string, readonly [Level, string]>;

/** The stable name of a finding. */
export type FindingName = keyof typeof FINDINGS;

/** One line of the report. */
export interface Finding {
  readonly level: Level;
  readonly name: FindingName;
  /** One sentence for a person: what was found and what to do; never a secret. */
  readonly message: string;
}

/** Returns a finding with the level of the table. Its message is safe to paste into a report. */
export function found(name: FindingName, message: string): Finding {
  return { level: FINDINGS[name][0], name, message: printable(message) };
}

/** Whether a name (of an error's code, for instance) is a finding's. */
export function isFindingName(name: string): name is FindingName {
  return Object.hasOwn(FINDINGS, name);
}

/** The findings, or, when none is a warning or a problem, the one that says that all is well. */
export function okUnless(findings: readonly Finding[], well: Finding): readonly Finding[] {
  const bad = findings.some(({ level }) => level === "problem" || level === "warning");
  return bad ? findings : [well, ...findings];
}
