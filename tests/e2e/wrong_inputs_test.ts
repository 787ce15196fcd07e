import { assert, assertEquals, assertMatch } from "@std/assert";
import { concatenate } from "../../src/bytes.ts";
import { formatPem, parsePem } from "../../src/x509/pem.ts";
import type { FailureMode } from "../emulator/failures.ts";
import { type Authority, issueCertificate } from "../support/certificates.ts";
import { type Result, runBinary, type RunOptions } from "../support/binary.ts";
import { testWith } from "../support/needs.ts";
import { openssl } from "../support/openssl.ts";
import { OtherUser } from "../support/other_user.ts";
import { ARN_FLAGS, ARNS, SessionScenario } from "../support/session_scenario.ts";

/** One mistake of a person, a file or the service, and the message of the program. */
interface WrongInput {
  readonly name: string;
  readonly args: readonly string[];
  readonly code: number;
  readonly says: RegExp;
  readonly options?: RunOptions;
  /** Failure of the service in the meantime. */
  readonly failure?: FailureMode;
}

const PASSPHRASE = "correct horse battery staple";
const WRONG_PASSPHRASE = "tr0ub4dor&3";

/** Returns `flags` with the value of one of them replaced, or taken out with the flag. */
function withFlag(flags: readonly string[], name: string, value?: string): string[] {
  const at = flags.indexOf(name);
  assert(at >= 0, name);
  const replacement = value === undefined ? [] : [name, value];
  return [...flags.slice(0, at), ...replacement, ...flags.slice(at + 2)];
}

// deno-fmt-ignore-start: a table, a row a line
async function wrongInputs(scenario: SessionScenario): Promise<WrongInput[]> {
  const { directory, identity, trustAnchor, flags } = scenario;
  const other = await issueCertificate(trustAnchor, { subject: "/CN=other" });
  const expired = await issueCertificate(trustAnchor, {
    subject: "/CN=expired",
    notAfter: new Date(Date.now() - 60_000),
  });
  const future = await issueCertificate(trustAnchor, {
    subject: "/CN=future",
    notBefore: new Date(Date.now() + 86_400_000),
    notAfter: new Date(Date.now() + 2 * 86_400_000),
  });
  const encrypted = directory.write(
    "encrypted.pem",
    await openssl([
      "pkcs8",
      "-topk8",
      "-v2",
      "aes-256-cbc",
      "-in",
      identity.keyPath,
      "-passout",
      `pass:${PASSPHRASE}`,
    ]),
  );
  const pkcs12 = directory.join("identity.p12");
  await openssl([
    "pkcs12",
    "-export",
    "-inkey",
    identity.keyPath,
    "-in",
    identity.certificatePath,
    "-out",
    pkcs12,
    "-passout",
    `pass:${PASSPHRASE}`,
  ]);
  // A path of six, as only what is on the path is sent.
  const authorities: Authority[] = [];
  for (let i = 0; i < 6; i++) {
    const issuer = authorities.at(-1) ?? trustAnchor;
    authorities.push(await issueCertificate(issuer, { subject: `/CN=Authority ${i}`, ca: true }));
  }
  const deep = await issueCertificate(authorities.at(-1) ?? trustAnchor, { subject: "/CN=deep" });
  Deno.mkdirSync(directory.join("folder"));
  const keyPem = identity.keyPem;
  const truncated = [0.1, 0.25, 0.5, 0.75, 0.9].map((part) =>
    directory.write(`truncated-${part}.pem`, keyPem.slice(0, Math.floor(keyPem.length * part)))
  );
  const ed25519 = directory.write("ed25519.pem", await openssl(["genpkey", "-algorithm", "ED25519"]));
  const secp256k1 = directory.write(
    "secp256k1.pem",
    await openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"]),
  );
  const p224 = directory.write(
    "p224.pem",
    await openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"]),
  );
  const rsa512 = directory.write("rsa512.pem", await openssl(["genrsa", "512"]));
  const random = crypto.getRandomValues(new Uint8Array(2000));
  const key = (path: string) => ["credential-process", ...withFlag(flags, "--private-key", path)];
  const certificate = (path: string) => ["credential-process", ...withFlag(flags, "--certificate", path)];
  const flag = (name: string, value?: string) => ["credential-process", ...withFlag(flags, name, value)];
  const more = (...extra: string[]) => ["credential-process", ...flags, ...extra];
  const pair = (files: { certificatePath: string; keyPath: string }) => [
    "credential-process",
    ...withFlag(withFlag(flags, "--certificate", files.certificatePath), "--private-key", files.keyPath),
  ];
  const missing = directory.join("no such file.pem");
  const derOf = (pem: string) => parsePem(pem)[0]?.bytes ?? new Uint8Array();
  const certificateAndKey = formatPem(
    "CERTIFICATE",
    concatenate([derOf(identity.certificatePem), derOf(keyPem)]),
  );
  const written = (name: string, data: string | Uint8Array) => directory.write(name, data);

  return [
    // command line
    { name: "unknown command", args: ["credentials"], code: 2, says: /unknown command "credentials"; did you mean credential-process\?/ },
    { name: "unknown flag", args: more("--colour"), code: 2, says: /unknown flag "--colour"; see/ },
    { name: "unknown flag with a value", args: more("--pkcs8-pasword=hunter2"), code: 2, says: /unknown flag "--pkcs8-pasword"; did you mean --pkcs8-password\?/ },
    { name: "stray argument", args: more("stray"), code: 2, says: /unexpected argument "stray"; .*see aws_signing_helper credential-process --help/ },
    { name: "stray argument with a secret", args: more("--pkcs8-password", "hunter2", "hunter3"), code: 2, says: /unexpected argument; / },
    { name: "flag without its value", args: ["credential-process", "--certificate", "--debug"], code: 2, says: /--certificate has no value/ },
    { name: "flag at the end without its value", args: more("--region"), code: 2, says: /--region has no value/ },
    { name: "switch with a wrong value", args: more("--debug=maybe"), code: 2, says: /--debug takes only true, 1, false or 0/ },
    { name: "no role", args: flag("--role-arn"), code: 2, says: /--role-arn is missing/ },
    { name: "no ARN at all", args: ["credential-process", "--certificate", missing], code: 2, says: /--role-arn, --profile-arn, --trust-anchor-arn are missing/ },
    { name: "no certificate", args: ["credential-process", ...ARN_FLAGS], code: 2, says: /needs --certificate or --cert-selector/ },
    { name: "bad role ARN", args: flag("--role-arn", "MyRole"), code: 2, says: /--role-arn "MyRole" is not an ARN/ },
    { name: "a user's ARN as role", args: flag("--role-arn", "arn:aws:iam::123456789012:user/x"), code: 2, says: /--role-arn/ },
    { name: "bad profile ARN", args: flag("--profile-arn", ARNS.trustAnchor), code: 2, says: /--profile-arn/ },
    { name: "bad trust anchor ARN", args: flag("--trust-anchor-arn", ARNS.profile), code: 2, says: /--trust-anchor-arn/ },
    { name: "regions that differ", args: flag("--profile-arn", ARNS.profile.replace("us-east-1", "eu-west-1")), code: 2, says: /--profile-arn is in eu-west-1 and --trust-anchor-arn in us-east-1/ },
    { name: "partitions that differ", args: flag("--role-arn", ARNS.role.replace("arn:aws:", "arn:aws-cn:")), code: 2, says: /partition/ },
    { name: "duration 899", args: more("--session-duration", "899"), code: 2, says: /--session-duration is "899"; it must be a whole number of 900 to 43200/ },
    { name: "duration 43201", args: more("--session-duration=43201"), code: 2, says: /43201/ },
    { name: "duration with a fraction", args: more("--session-duration", "900.5"), code: 2, says: /whole number/ },
    { name: "duration from a variable", args: more(), code: 2, says: /^aws_signing_helper: AWS_SIGNING_HELPER_SESSION_DURATION is "1h"/, options: { env: { AWS_SIGNING_HELPER_SESSION_DURATION: "1h" } } },
    { name: "session name too short", args: more("--role-session-name", "a"), code: 2, says: /--role-session-name "a"/ },
    { name: "session name with a blank", args: more("--role-session-name", "a b"), code: 2, says: /--role-session-name "a b"/ },
    { name: "session name too long", args: more("--role-session-name", "x".repeat(65)), code: 2, says: /2 to 64/ },
    { name: "endpoint without scheme", args: flag("--endpoint", "localhost:1234"), code: 2, says: /--endpoint "localhost:1234" is not a URL/ },
    { name: "endpoint in the clear", args: flag("--endpoint", "http://example.com"), code: 2, says: /in the clear/ },
    { name: "endpoint and FIPS", args: more("--use-fips-endpoint"), code: 2, says: /--endpoint and --use-fips-endpoint/ },
    { name: "region that is none", args: [...withFlag(more(), "--endpoint"), "--region", "us east"], code: 2, says: /--region "us east"/ },
    { name: "unknown scheme", args: certificate("vault:secret/cert"), code: 2, says: /--certificate: unknown scheme "vault:"/ },
    { name: "malformed token URI", args: key("pkcs11:object=%zz"), code: 2, says: /--private-key: malformed pkcs11: URI/ },
    { name: "token URI with an attribute that is none", args: key("pkcs11:tokn=x?pin-value=hunter2"), code: 2, says: /--private-key: malformed pkcs11: URI: "tokn" is not an attribute/ },
    { name: "PIN in the wrong half of a token URI", args: key("pkcs11:token=x;pin-value=hunter2"), code: 2, says: /"pin-value" must come after the "\?"/ },
    { name: "PKCS#11 module that is not there", args: [...key("pkcs11:token=x?pin-value=hunter2"), "--pkcs11-lib", missing], code: 3, says: /--pkcs11-lib: .*no such file\.pem does not exist/ },
    { name: "proxy variable that is not a URL", args: more(), code: 2, says: /HTTPS_PROXY does not hold an HTTP proxy's URL/, options: { env: { HTTPS_PROXY: "ftp://x:hunter2@y" } } },
    { name: "store selector on Linux", args: ["sign-string", "--cert-selector", "Key=x509Subject,Value=CN=x"], code: 3, says: /Linux has no certificate store; use --certificate with a file or a pkcs11: URI/ },
    ...(["keychain:x509Serial=01", "cng:x509Serial=01"].map((uri) => ({
      name: `store of another system: ${uri}`,
      args: ["sign-string", "--private-key", uri],
      code: 3,
      says: new RegExp(`^aws_signing_helper: ${uri}: .* is only available on (macOS|Windows)`),
    }))),

    // files
    { name: "missing certificate", args: certificate(missing), code: 3, says: /no such file\.pem/ },
    { name: "missing key", args: key(missing), code: 3, says: /no such file\.pem/ },
    { name: "missing intermediates", args: more("--intermediates", missing), code: 3, says: /no such file\.pem/ },
    { name: "directory as key", args: key(directory.join("folder")), code: 3, says: /folder.*directory/ },
    { name: "directory as certificate", args: certificate(directory.join("folder")), code: 3, says: /folder.*directory/ },
    { name: "empty private key, so that it is looked for with the certificate", args: key(""), code: 3, says: /certificate\.pem holds a certificate, but no private key/ },
    { name: "empty certificate", args: certificate(""), code: 2, says: /needs --certificate or --cert-selector/ },
    { name: "empty key", args: key(written("empty.pem", "")), code: 3, says: /empty\.pem.*empty/ },
    { name: "binary rubbish as key", args: key(written("random.bin", random)), code: 3, says: /random\.bin/ },
    { name: "binary rubbish as certificate", args: certificate(written("random2.bin", random)), code: 3, says: /random2\.bin/ },
    { name: "text as certificate", args: certificate(written("notes.txt", "remember the milk\n")), code: 3, says: /notes\.txt/ },
    { name: "huge file", args: key(written("huge.pem", new Uint8Array(5 << 20))), code: 3, says: /huge\.pem.*large/ },
    { name: "endless device", args: key("/dev/zero"), code: 3, says: /\/dev\/zero/ },
    ...truncated.map((path, i) => ({ name: `truncated key ${i}`, args: key(path), code: 3, says: /truncated-0/ })),
    { name: "truncated certificate", args: certificate(written("half.crt", identity.certificatePem.slice(0, 300))), code: 3, says: /half\.crt.*end/ },
    { name: "certificate where the key should be", args: key(identity.certificatePath), code: 3, says: /private key/ },
    { name: "key where the certificate should be", args: certificate(identity.keyPath), code: 3, says: /certificate/ },
    { name: "certificate without a key in its file", args: ["credential-process", ...withFlag(flags, "--private-key")], code: 3, says: /private key/ },
    { name: "key of another certificate", args: key(other.keyPath), code: 3, says: /does not belong to the certificate/ },
    { name: "expired certificate", args: pair(expired), code: 3, says: /expired at \d{4}-.*renew it/ },
    { name: "certificate of tomorrow", args: pair(future), code: 3, says: /not valid before/ },
    { name: "chain of six", args: [...pair(deep), "--intermediates", written("six.pem", authorities.map((a) => a.certificatePem).join(""))], code: 3, says: /6 issuers are on its path, but the service accepts 5/ },
    { name: "Ed25519 key", args: key(ed25519), code: 3, says: /Ed25519 keys cannot be used/ },
    { name: "secp256k1 key", args: key(secp256k1), code: 3, says: /elliptic curve secp256k1 cannot be used with IAM Roles Anywhere; use P-256/ },
    { name: "P-224 key", args: key(p224), code: 3, says: /elliptic curve P-224 cannot be used with IAM Roles Anywhere/ },
    { name: "TPM handle without its scheme", args: key("0x81000101"), code: 3, says: /0x81000101 does not exist; for a key in the TPM write handle:0x81000101/ },
    { name: "~ in a path", args: key("~/key.pem"), code: 3, says: /~ is not expanded here; write the whole path/ },
    { name: "a variable in a path", args: certificate("$HOME/c.pem"), code: 3, says: /variables are not expanded here/ },
    { name: "quotation marks in a path", args: certificate('"c.pem"'), code: 3, says: /quotation marks are part of the path/ },
    { name: "~ in the CA bundle's path", args: flag("--ca-bundle", "~/ca.pem"), code: 2, says: /~ is not expanded here/ },
    { name: "~ in a passphrase file's path", args: [...key(encrypted), "--pkcs8-password", "file:~/pass"], code: 3, says: /~ is not expanded here/ },
    { name: "the service refuses the time of the request", args: more(), failure: "signature-expired", code: 4, says: /InvalidSignatureException: Signature expired: .*; this machine's clock is (39\d|40\d) s ahead of the service's; set it\n$/ },
    { name: "the service refuses the time, though the clocks agree", args: more(), failure: "signature-not-current", code: 4, says: /Signature not yet current.*; this machine's clock agrees with the service's\n$/ },
    { name: "RSA key of 512 bits", args: key(rsa512), code: 3, says: /512 bits/ },

    // passphrases
    { name: "encrypted key without passphrase or terminal", args: key(encrypted), code: 3, says: /--pkcs8-password/ },
    { name: "encrypted key with a wrong passphrase", args: [...key(encrypted), "--pkcs8-password", WRONG_PASSPHRASE], code: 3, says: /does not unlock .*encrypted\.pem; check --pkcs8-password/ },
    { name: "PKCS#12 without passphrase or terminal", args: ["credential-process", ...withFlag(withFlag(flags, "--private-key"), "--certificate", pkcs12)], code: 3, says: /--pkcs8-password/ },
    { name: "PKCS#12 with a wrong passphrase", args: ["credential-process", ...withFlag(withFlag(flags, "--private-key"), "--certificate", pkcs12), "--pkcs8-password", WRONG_PASSPHRASE], code: 3, says: /identity\.p12/ },
    { name: "passphrase from a variable that is not set", args: [...key(encrypted), "--pkcs8-password", "env:NOT_SET"], code: 3, says: /--pkcs8-password: the variable NOT_SET is not set/ },
    { name: "passphrase from a missing file", args: [...key(encrypted), "--pkcs8-password", `file:${missing}`], code: 3, says: /--pkcs8-password: the file .*no such file/ },
    { name: "passphrase from a closed descriptor", args: [...key(encrypted), "--pkcs8-password", "fd:77"], code: 3, says: /descriptor 77 is not open/ },
    ...[3, 5, 9, 11, 12].map((fd) => ({ name: `passphrase from the runtime's own descriptor ${fd}`, args: [...key(encrypted), "--pkcs8-password", `fd:${fd}`], code: 3, says: new RegExp(`descriptor ${fd} is not open`) })),

    // trust and network
    { name: "missing CA bundle", args: flag("--ca-bundle", missing), code: 2, says: /--ca-bundle: .*cannot be read/ },
    { name: "CA bundle without certificates", args: flag("--ca-bundle", identity.keyPath), code: 2, says: /--ca-bundle: .*has no certificates/ },
    { name: "CA bundle with a broken certificate", args: flag("--ca-bundle", written("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), code: 2, says: /--ca-bundle: .*broken\.pem/ },
    { name: "missing key of a variable", args: flag("--private-key"), code: 3, says: /^aws_signing_helper: AWS_SIGNING_HELPER_PRIVATE_KEY: no-such\.pem does not exist; check the path/, options: { env: { AWS_SIGNING_HELPER_PRIVATE_KEY: "no-such.pem" } } },
    { name: "key as certificate of a variable", args: flag("--certificate"), code: 3, says: /^aws_signing_helper: AWS_SIGNING_HELPER_CERTIFICATE: .* holds a private key, but no certificate; name the file that does/, options: { env: { AWS_SIGNING_HELPER_CERTIFICATE: identity.keyPath } } },
    { name: "missing issuers of a variable", args: more(), code: 3, says: /^aws_signing_helper: AWS_SIGNING_HELPER_INTERMEDIATES: no-such\.pem does not exist; check the path/, options: { env: { AWS_SIGNING_HELPER_INTERMEDIATES: "no-such.pem" } } },
    { name: "a switch with its value after a blank", args: more("--with-proxy", "false"), code: 2, says: /--with-proxy takes no value after a space; write --with-proxy=false/ },
    { name: "http for a port with TLS", args: flag("--endpoint", scenario.emulator.url.replace("https:", "http:")), code: 6, says: /broke; check --endpoint: does the port expect https\?/ },
    { name: "missing store file", args: more(), code: 2, says: /^aws_signing_helper: SSL_CERT_FILE: .* cannot be read; check that it exists/, options: { env: { SSL_CERT_FILE: missing } } },
    { name: "a device as store file", args: more(), code: 2, says: /^aws_signing_helper: SSL_CERT_FILE: \/dev\/zero is a device; name a file/, options: { env: { SSL_CERT_FILE: "/dev/zero" } } },
    { name: "a directory as store file", args: more(), code: 2, says: /^aws_signing_helper: SSL_CERT_FILE: \/ is a directory; name a file/, options: { env: { SSL_CERT_FILE: "/" } } },
    { name: "store file without certificates", args: more(), code: 2, says: /^aws_signing_helper: SSL_CERT_FILE: .* has no certificates; name a PEM file/, options: { env: { SSL_CERT_FILE: identity.keyPath } } },
    { name: "a private key as a certificate of the store file", args: more(), code: 2, says: /^aws_signing_helper: SSL_CERT_FILE: .* has a malformed certificate: expected tag 0x30, found 0x2\n$/, options: { env: { SSL_CERT_FILE: written("labelled.pem", Deno.readTextFileSync(identity.keyPath).replaceAll("PRIVATE KEY", "CERTIFICATE")) } } },
    { name: "store file with a byte order mark", args: more(), code: 2, says: /^aws_signing_helper: SSL_CERT_FILE: .* has no certificates; name a PEM file in ASCII/, options: { env: { SSL_CERT_FILE: written("mark.pem", `\ufeff${Deno.readTextFileSync(identity.certificatePath)}`) } } },
    { name: "a key after the certificate in a block of the store file", args: more(), code: 2, says: /^aws_signing_helper: SSL_CERT_FILE: .* has more in a block than a certificate; export it again\n$/, options: { env: { SSL_CERT_FILE: written("more.pem", certificateAndKey) } } },
    { name: "a descriptor whose number may be a PIN", args: [...key(encrypted), "--pkcs8-password", "fd:123456"], code: 3, says: /--pkcs8-password: the descriptor is not open; open it in the shell, for example 3< FILE\n$/ },
    { name: "store file on one line", args: more(), code: 2, says: /^aws_signing_helper: SSL_CERT_FILE: .* has no certificates; name a PEM file in ASCII/, options: { env: { SSL_CERT_FILE: written("line.pem", Deno.readTextFileSync(identity.certificatePath).replaceAll("\n", "")) } } },
    { name: "a device as store file, without verification", args: more("--no-verify-ssl"), code: 2, says: /SSL_CERT_FILE: \/dev\/zero is a device; name a file/, options: { env: { SSL_CERT_FILE: "/dev/zero" } } },
    { name: "endpoint of a variable that refuses connections", args: flag("--endpoint"), code: 6, says: /127\.0\.0\.1:1 refuses connections; check AWS_ENDPOINT_URL and the network/, options: { env: { AWS_ENDPOINT_URL: "http://127.0.0.1:1" } } },
    { name: "unknown server authority", args: flag("--ca-bundle"), code: 6, says: /authority this system does not trust/ },
    { name: "server certificate of another name", args: flag("--endpoint", scenario.emulator.url.replace("localhost", "[::1]")), code: 6, says: /refuses connections|another name|cannot be reached/ },
    { name: "nobody listens", args: flag("--endpoint", "https://127.0.0.1:9"), code: 6, says: /127\.0\.0\.1:9 refuses connections/ },
    { name: "host that does not exist", args: flag("--endpoint", "https://no-such-host.invalid"), code: 6, says: /cannot be found/ },
    { name: "TLS spoken to a plain server", args: flag("--endpoint", `https://127.0.0.1:${PLAIN_PORT}`), code: 6, says: /TLS handshake/ },

    // the service
    { name: "the service refuses access", args: more(), failure: "access-denied", code: 4, says: /^aws_signing_helper: AccessDeniedException: Untrusted certificate\. Insufficient certificate\n$/ },
    { name: "the service refuses a value", args: more(), failure: "validation", code: 4, says: /^aws_signing_helper: ValidationException: / },
    { name: "the service knows no such trust anchor", args: more(), failure: "resource-not-found", code: 4, says: /^aws_signing_helper: ResourceNotFoundException: / },
    { name: "the service refuses, with the code in the body", args: more(), failure: "body-code-only", code: 4, says: /^aws_signing_helper: AccessDeniedException: The code is in the body only/ },
    { name: "the service throttles", args: more(), failure: "throttled", code: 5, says: /^aws_signing_helper: ThrottlingException: Rate exceeded/ },
    { name: "the service fails", args: more(), failure: "service-error", code: 5, says: /^aws_signing_helper: InternalServerException: / },
    { name: "the service is unavailable", args: more(), failure: "unavailable", code: 5, says: /^aws_signing_helper: ServiceUnavailableException: / },
    { name: "a proxy's error page", args: more(), failure: "html-500", code: 5, says: /^aws_signing_helper: HTTP 502: the service is unavailable/ },
    { name: "a redirect", args: more(), failure: "redirect", code: 1, says: /HTTP 302/ },
    { name: "the connection drops", args: more(), failure: "drop", code: 6, says: /connection to localhost:\d+ broke/ },
    { name: "half an answer", args: more(), failure: "half-answer", code: 6, says: /connection to localhost:\d+ broke/ },
    { name: "an answer that is not JSON", args: more(), failure: "wrong-json", code: 1, says: /not JSON/ },
    { name: "no credentials in the answer", args: more(), failure: "empty-set", code: 1, says: /without credentials/ },
    { name: "credentials without a token", args: more(), failure: "missing-fields", code: 1, says: /without sessionToken/ },
    { name: "credentials without a time", args: more(), failure: "bad-expiration", code: 1, says: /not a time/ },
    { name: "an endless answer", args: more(), failure: "huge-answer", code: 1, says: /larger than/ },

    // other commands
    { name: "sign-string without a key", args: ["sign-string"], code: 2, says: /sign-string needs --private-key or --certificate or --cert-selector/ },
    { name: "sign-string with an unknown digest", args: ["sign-string", "--private-key", identity.keyPath, "--digest", "MD5"], code: 2, says: /--digest is "MD5"; it must be one of SHA256, SHA384, SHA512/ },
    { name: "sign-string with an unknown format", args: ["sign-string", "--private-key", identity.keyPath, "--format=xml"], code: 2, says: /--format is "xml"/ },
    { name: "sign-string with a pair that is none", args: ["sign-string", "--private-key", other.keyPath, "--certificate", identity.certificatePath], code: 3, says: /does not belong/ },
    { name: "read-certificate-data of a key", args: ["read-certificate-data", "--certificate", identity.keyPath], code: 3, says: /certificate/ },
    { name: "read-certificate-data without a certificate", args: ["read-certificate-data"], code: 2, says: /needs --certificate or --cert-selector/ },
    { name: "version with an argument", args: ["version", "1"], code: 2, says: /unexpected argument "1"; .*see aws_signing_helper version --help/ },
    ...exclusions(identity),
  ];
}

// deno-fmt-ignore-end

/** Returns each pair of flags that exclude each other by the contract, in its order. */
function exclusions(files: { certificatePath: string; keyPath: string }): WrongInput[] {
  const values: Readonly<Record<string, readonly string[]>> = {
    "certificate": ["--certificate", files.certificatePath],
    "private-key": ["--private-key", files.keyPath],
    "intermediates": ["--intermediates", files.certificatePath],
    "cert-selector": ["--cert-selector", "Key=x509Subject,Value=CN=x"],
    "system-store-name": ["--system-store-name", "MY"],
    "use-latest-expiring-certificate": ["--use-latest-expiring-certificate"],
    "reuse-pin": ["--reuse-pin"],
    "tpm-key-password": ["--tpm-key-password", "hunter2"],
    "no-tpm-key-password": ["--no-tpm-key-password"],
    "pkcs8-password": ["--pkcs8-password", "hunter2"],
  };
  const pairs: readonly (readonly [string, string, string])[] = [
    ["credential-process", "certificate", "cert-selector"],
    ["credential-process", "certificate", "system-store-name"],
    ["credential-process", "private-key", "system-store-name"],
    ["credential-process", "private-key", "use-latest-expiring-certificate"],
    ["credential-process", "use-latest-expiring-certificate", "intermediates"],
    ["credential-process", "use-latest-expiring-certificate", "reuse-pin"],
    ["credential-process", "cert-selector", "intermediates"],
    ["credential-process", "cert-selector", "reuse-pin"],
    ["credential-process", "cert-selector", "tpm-key-password"],
    ["credential-process", "cert-selector", "no-tpm-key-password"],
    ["credential-process", "system-store-name", "reuse-pin"],
    ["credential-process", "tpm-key-password", "reuse-pin"],
    ["credential-process", "tpm-key-password", "no-tpm-key-password"],
    ["credential-process", "tpm-key-password", "pkcs8-password"],
    ["sign-string", "no-tpm-key-password", "reuse-pin"],
    ["sign-string", "certificate", "cert-selector"],
    ["read-certificate-data", "certificate", "system-store-name"],
  ];
  return pairs.map(([command, a, b]) => ({
    name: `${command}: --${a} with --${b}`,
    args: [
      command,
      ...(command === "credential-process" ? ARN_FLAGS : []),
      ...values[a] ?? [],
      ...values[b] ?? [],
    ],
    code: 2,
    says: new RegExp(`--${a} and --${b} cannot be used together`),
  }));
}

const SECRETS = ["hunter2", "hunter3", PASSPHRASE, WRONG_PASSPHRASE];
let PLAIN_PORT = 0;

Deno.test("the binary answers every wrong input with one sentence and its exit code", async (t) => {
  await using scenario = await SessionScenario.create();
  await using plain = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("plain"),
  );
  PLAIN_PORT = plain.addr.port;
  const rows = await wrongInputs(scenario);
  const keyText = scenario.identity.keyPem.replace(/-----[^-]+-----|\s/g, "");
  // It only waits for half a minute: the rows run meanwhile.
  const asked = askSilentService();
  for (const { name, args, code, says, options, failure } of rows) {
    await t.step(name, async () => {
      scenario.emulator.recover();
      if (failure) scenario.emulator.fail(failure);
      const result = await runBinary(args, options);
      assertMatch(result.stderr, says);
      assertMatch(result.stderr, /^aws_signing_helper: [^\n]+\n$/, "one line");
      assertEquals({ code: result.code, stdout: result.stdout }, { code, stdout: "" });
      assert(!/\bat .*(\.ts|\.js|file:|ext:)/.test(result.stderr), "a stack trace");
      for (const secret of [...SECRETS, keyText.slice(40, 80)]) {
        assert(!result.stderr.includes(secret), "a secret on standard error");
      }
    });
  }
  await t.step("credential-process stops waiting for a service that never answers", async () => {
    const { result: { code, stdout, stderr }, seconds } = await asked;
    assertEquals({ code, stdout }, { code: 6, stdout: "" });
    assertMatch(stderr, /^aws_signing_helper: no response from localhost:\d+ within [\d.]+ s/);
    assert(seconds > 25 && seconds < 33, `it took ${seconds} s`);
  });
  assert(rows.length >= 100, "the table has lost rows");
});

/** Runs credential-process against a service that never answers. */
async function askSilentService(): Promise<{ readonly result: Result; readonly seconds: number }> {
  await using scenario = await SessionScenario.create();
  scenario.emulator.fail("hang");
  const started = performance.now();
  const result = await runBinary(["credential-process", ...scenario.flags]);
  return { result, seconds: (performance.now() - started) / 1000 };
}

testWith(["other-user"], "sign-string refuses a file that its user may not read", async () => {
  await using scenario = await SessionScenario.create();
  const { directory, identity } = scenario;
  Deno.chmodSync(directory.path, 0o755);
  const path = directory.write("unreadable.pem", identity.keyPem, 0o000);
  // root may read anything
  using other = new OtherUser();
  const result = await other.run(["sign-string", "--private-key", path]);
  assertEquals({ code: result.code, stdout: result.stdout }, { code: 3, stdout: "" });
  assertMatch(result.stderr, /^aws_signing_helper: [^\n]*unreadable\.pem[^\n]*\n$/);
});
