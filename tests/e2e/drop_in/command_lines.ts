import type { DropInCase } from "./case.ts";

/**
 * Command lines from AWS's documentation of its helper, reworded, and common variations of them.
 * The service's URL and its CA come from AWS_ENDPOINT_URL and AWS_CA_BUNDLE, so that the
 * lines need no flags for them. Add a row for each new line.
 */
// deno-fmt-ignore-start: a table, one row per line
export const COMMAND_LINES: readonly DropInCase[] = [
  // credential-process: sources of certificate and key
  { line: "credential-process --certificate {cert} --private-key {key} {arns}", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} --role-arn {role} --trust-anchor-arn {anchor} --profile-arn {profileArn}", effect: "credentials" },
  { line: "credential-process --certificate={cert} --private-key={key} --role-arn={role} --profile-arn={profileArn} --trust-anchor-arn={anchor}", effect: "credentials" },
  { line: "credential-process {arns} --private-key {key} --certificate {cert}", effect: "credentials" },
  { line: "credential-process --certificate {rsaCert} --private-key {rsaKey} {arns}", effect: "credentials" },
  { line: "credential-process --certificate {rsaCert} --private-key {pkcs1Key} {arns}", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {sec1Key} {arns}", effect: "credentials" },
  { line: "credential-process --certificate {p384Cert} --private-key {p384Key} {arns}", effect: "credentials" },
  { line: "credential-process --certificate {both} {arns}", effect: "credentials" },
  { line: "credential-process --certificate {both} --private-key {both} {arns}", effect: "credentials" },
  { line: "credential-process --certificate {derCert} --private-key {derKey} {arns}", effect: "credentials" },
  { line: "credential-process --certificate {p12} {arns}", effect: "credentials" },
  { line: "credential-process --certificate {lockedP12} --pkcs8-password {passphrase} {arns}", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {lockedKey} --pkcs8-password {passphrase} {arns}", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {lockedKey} --pkcs8-password=env:PASS {arns}", env: { PASS: "correct horse" }, effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {lockedKey} {arns}", env: { AWS_SIGNING_HELPER_PKCS8_PASSWORD: "env:PASS", PASS: "correct horse" }, effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {lockedKey} {arns}", status: 3, effect: "error", stderr: /no terminal/ },
  { line: "credential-process --certificate {cert} --private-key {lockedKey} --pkcs8-password wrong {arns}", status: 3, effect: "error", stderr: /does not unlock/ },
  { line: "credential-process --certificate {cert} --private-key {rsaKey} {arns}", status: 3, effect: "error", stderr: /does not belong to the certificate/ },
  { line: "credential-process --certificate {spaced} --private-key {key} {arns}", effect: "credentials" },
  { line: "credential-process --certificate file:{cert} --private-key file:{key} {arns}", effect: "credentials" },
  { line: "credential-process --certificate file://{cert} --private-key file://{key} {arns}", effect: "credentials" },

  // intermediates
  { line: "credential-process --certificate {subCert} --private-key {subKey} --intermediates {subCa} {arns}", effect: "credentials", chain: 1 },
  { line: "credential-process --certificate {fullchain} --private-key {subKey} {arns}", effect: "credentials", chain: 1 },
  { line: "credential-process --certificate {subCert} --private-key {subKey} {arns}", status: 4, effect: "error", stderr: /AccessDeniedException: Untrusted certificate/ },
  { line: "credential-process --certificate {cert} --private-key {key} --intermediates '' {arns}", effect: "credentials", chain: 0 },
  { line: "credential-process --certificate {cert} --private-key {key} --intermediates= {arns}", effect: "credentials", chain: 0 },
  { line: "credential-process --certificate {cert} --private-key {key} --intermediates /dev/null {arns}", effect: "credentials", chain: 0 },
  { line: "credential-process --certificate {cert} --private-key {key} --intermediates {empty} {arns}", effect: "credentials", chain: 0 },
  { line: "credential-process --certificate {cert} --private-key {key} --intermediates {blank} {arns}", effect: "credentials", chain: 0 },
  { line: "credential-process --certificate {cert} --private-key {key} --intermediates {notes} {arns}", effect: "credentials", chain: 0 },
  { line: "credential-process --certificate {cert} --private-key {key} --intermediates {key} {arns}", effect: "credentials", chain: 0 },
  { line: "credential-process --certificate {cert} --private-key {key} --intermediates {empty} --debug {arns}", effect: "credentials", stderr: /^debug: .*empty\.pem has no certificates; no chain is sent from it$/m },
  { line: "credential-process --certificate {cert} --private-key {key} --intermediates {missing} {arns}", status: 3, effect: "error", stderr: /missing\.pem does not exist/ },
  { line: "credential-process --certificate {cert} --private-key {key} --intermediates {damaged} {arns}", status: 3, effect: "error", stderr: /damaged\.pem/ },

  // the session
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --session-duration 900", effect: "credentials", body: { durationSeconds: 900 } },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --session-duration 43200", effect: "credentials", body: { durationSeconds: 43200 } },
  { line: "credential-process --certificate {cert} --private-key {key} {arns}", effect: "credentials", body: { durationSeconds: 3600 } },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --session-duration ''", effect: "credentials", body: { durationSeconds: 3600 } },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --session-duration 899", status: 2, effect: "error", stderr: /--session-duration/ },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --role-session-name build-1", effect: "credentials", body: { roleSessionName: "build-1" } },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --role-session-name ''", effect: "credentials", body: { roleSessionName: undefined } },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --region us-east-1", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --region ''", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --region=", env: { AWS_REGION: "eu-west-1" }, effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --endpoint {endpoint}", env: { AWS_ENDPOINT_URL: "https://127.0.0.1:9" }, effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --endpoint ''", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --no-verify-ssl", env: { AWS_CA_BUNDLE: "" }, effect: "credentials", stderr: /^warning: --no-verify-ssl: [^\n]*\n$/ },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --no-verify-ssl=false", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --with-proxy", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --with-proxy=false", env: { HTTPS_PROXY: "http://127.0.0.1:9" }, effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns}", env: { HTTPS_PROXY: "http://127.0.0.1:9", NO_PROXY: "localhost" }, effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --debug", effect: "credentials", stderr: /^debug: POST /m },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --debug=false", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --ca-bundle {missing}", status: 2, effect: "error", stderr: /--ca-bundle: .*missing\.pem/ },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --ca-bundle ''", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns}", env: { AWS_CA_BUNDLE: "" }, status: 6, effect: "error", stderr: /authority this system does not trust/ },

  // flags of other keystores are accepted, and have no effect on files
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --reuse-pin", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --no-tpm-key-password", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --tpm-key-password ''", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --pkcs11-lib ''", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --cert-selector '' --system-store-name ''", effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --use-latest-expiring-certificate=false", effect: "credentials" },

  // flags before the command
  { line: "--certificate {cert} --private-key {key} credential-process {arns}", effect: "credentials" },
  { line: "--region us-east-1 credential-process --certificate {cert} --private-key {key} {arns}", effect: "credentials" },
  { line: "{arns} --certificate {cert} --private-key {key} credential-process", effect: "credentials" },
  { line: "--debug=false credential-process --certificate {cert} --private-key {key} {arns}", effect: "credentials" },
  { line: "--debug --certificate {cert} --private-key {key} credential-process {arns}", effect: "credentials", stderr: /^debug: POST /m },
  { line: "--once update --certificate {cert} --private-key {key} {arns}", effect: "written" },
  { line: "--private-key {key} sign-string", effect: "signature" },

  // variables
  { line: "credential-process", env: { AWS_SIGNING_HELPER_CERTIFICATE: "{cert}", AWS_SIGNING_HELPER_PRIVATE_KEY: "{key}", AWS_SIGNING_HELPER_ROLE_ARN: "{role}", AWS_SIGNING_HELPER_PROFILE_ARN: "{profileArn}", AWS_SIGNING_HELPER_TRUST_ANCHOR_ARN: "{anchor}" }, effect: "credentials" },
  { line: "credential-process --certificate {cert} --private-key {key} {arns}", env: { AWS_SIGNING_HELPER_SESSION_DURATION: "900" }, effect: "credentials", body: { durationSeconds: 900 } },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --session-duration 1800", env: { AWS_SIGNING_HELPER_SESSION_DURATION: "900" }, effect: "credentials", body: { durationSeconds: 1800 } },
  { line: "credential-process --certificate {cert} --private-key {key} {arns}", env: { AWS_SIGNING_HELPER_SESSION_DURATION: "1h" }, status: 2, effect: "error", stderr: /^aws_signing_helper: AWS_SIGNING_HELPER_SESSION_DURATION is/ },
  { line: "credential-process --certificate {cert} --private-key {key} {arns}", env: { AWS_ENDPOINT_URL: "https://127.0.0.1:9", AWS_ENDPOINT_URL_ROLESANYWHERE: "{endpoint}" }, effect: "credentials" },

  // update
  { line: "update --certificate {cert} --private-key {key} {arns} --once", effect: "written" },
  { line: "update --certificate {cert} --private-key {key} {arns} --once --profile build", effect: "written", profile: "build" },
  { line: "update --certificate {cert} --private-key {key} {arns} --once --profile ''", effect: "written" },
  { line: "update --certificate {cert} --private-key {key} {arns} --once", env: { AWS_PROFILE: "fromenv" }, effect: "written", profile: "fromenv" },
  { line: "update --certificate {cert} --private-key {key} {arns} --once --profile flag", env: { AWS_PROFILE: "fromenv" }, effect: "written", profile: "flag" },
  { line: "update --once=true --certificate {p12} {arns}", effect: "written" },
  { line: "update --certificate {cert} --private-key {key} {arns} --once --port 1", status: 2, effect: "error", stderr: /--port is not a flag of update, but of serve/ },

  // serve
  { line: "serve --certificate {cert} --private-key {key} {arns} --port 0", effect: "serves" },
  { line: "serve --certificate {cert} --private-key {key} {arns} --port=0 --hop-limit 1", effect: "serves" },
  { line: "--port 0 serve --certificate {cert} --private-key {key} {arns} --hop-limit ''", effect: "serves" },
  { line: "serve --certificate {cert} --private-key {key} {arns} --port 65536", status: 2, effect: "error", stderr: /--port/ },
  { line: "serve --certificate {cert} --private-key {key} {arns} --port 0 --hop-limit 0", status: 2, effect: "error", stderr: /--hop-limit/ },
  { line: "serve --certificate {cert} --private-key {key} {arns} --port 0 --once", status: 2, effect: "error", stderr: /--once is not a flag of serve/ },

  // sign-string
  { line: "sign-string --private-key {key}", effect: "signature" },
  { line: "sign-string --private-key {key} --certificate {cert}", effect: "signature" },
  { line: "sign-string --private-key {rsaKey} --digest SHA384", effect: "signature" },
  { line: "sign-string --private-key {rsaKey} --digest SHA512 --format text", effect: "signature" },
  { line: "sign-string --private-key {rsaKey} --digest SHA256 --format json", effect: "signature" },
  { line: "sign-string --private-key {rsaKey} --format bin", effect: "signature" },
  { line: "sign-string --private-key {key} --format '' --digest ''", effect: "signature" },
  { line: "sign-string --private-key {lockedKey} --pkcs8-password {passphrase}", effect: "signature" },
  { line: "sign-string --certificate {p12}", effect: "signature" },
  { line: "sign-string --private-key {key} --digest MD5", status: 2, effect: "error", stderr: /SHA256, SHA384, SHA512/ },
  { line: "sign-string --private-key {key} --region us-east-1", status: 2, effect: "error", stderr: /--region is not a flag of sign-string/ },
  { line: "sign-string --cert-selector Key=x509Subject,Value=CN=Subject", status: 3, effect: "error", stderr: /Linux has no certificate store/ },

  // read-certificate-data
  { line: "read-certificate-data --certificate {cert}", effect: "data", prints: /"keyType":"EC".*"supportedAlgorithms":\["ECSHA256","ECSHA384","ECSHA512"\]/ },
  { line: "read-certificate-data --certificate {rsaCert}", effect: "data", prints: /"keyType":"RSA".*"supportedAlgorithms":\["RSASHA256","RSASHA384","RSASHA512"\]/ },
  { line: "read-certificate-data --certificate {derCert}", effect: "data" },
  { line: "read-certificate-data --certificate {p12}", effect: "data" },
  { line: "read-certificate-data --certificate {fullchain}", effect: "data" },
  { line: "read-certificate-data --certificate {key}", status: 3, effect: "error", stderr: /certificate/ },
  { line: "read-certificate-data --cert-selector file://{selector}", status: 3, effect: "error", stderr: /Linux has no certificate store/ },
  { line: "read-certificate-data --cert-selector Key=x509Subject,Value=CN=Subject Key=x509Issuer,Value=CN=Issuer Key=x509Serial,Value=15D19632234BF759A32802C0DA88F9E8AFC8702D", status: 3, effect: "error", stderr: /Linux has no certificate store/ },

  // version, help, completion
  { line: "version", effect: "text", prints: /^\d+\.\d+\.\d+\n$/ },
  { line: "--version", effect: "text", prints: /^\d+\.\d+\.\d+\n$/ },
  { line: "help", effect: "text", prints: /^Usage: aws_signing_helper <command>/ },
  { line: "", effect: "text", prints: /^Usage: aws_signing_helper <command>/ },
  { line: "--help", effect: "text", prints: /^Usage: aws_signing_helper <command>/ },
  { line: "credential-process --help", effect: "text", prints: /--trust-anchor-arn/ },
  { line: "help update", effect: "text", prints: /^Usage: aws_signing_helper update/ },
  { line: "serve -h", effect: "text", prints: /--hop-limit/ },
  { line: "--region us-east-1 --help", effect: "text", prints: /^Usage: aws_signing_helper <command>/ },
  { line: "completion bash", effect: "text", prints: /complete -/ },
  { line: "completions zsh", effect: "text", prints: /compdef/ },

  // classic mistakes
  { line: "credential-process —certificate {cert} —private-key {key} {arns}", status: 2, effect: "error", stderr: /typographic dash; write --certificate with two hyphens/ },
  { line: "credential-process --certificate {cert} —private-key handle:0x81000101 {arns}", status: 2, effect: "error", stderr: /write --private-key with two hyphens/ },
  { line: "credential-process \\ --certificate {cert} --private-key {key} {arns}", status: 2, effect: "error", stderr: /a line continuation .* on one line/ },
  { line: "credential-process -certificate {cert} -private-key {key} {arns}", status: 2, effect: "error", stderr: /"-certificate" has one dash; write --certificate/ },
  { line: "credential-process --certificate ~/cert.pem --private-key ~/key.pem {arns}", status: 3, effect: "error", stderr: /~ is not expanded here; write the whole path/ },
  { line: "credential-process --certificate {cert} --private-key $HOME/key.pem {arns}", status: 3, effect: "error", stderr: /variables are not expanded here/ },
  { line: "credential-process --certificate {cert} --private-key 0x81000101 {arns}", status: 3, effect: "error", stderr: /write handle:0x81000101/ },
  { line: "credential-process --cert {cert} --private-key {key} {arns}", status: 2, effect: "error", stderr: /did you mean --certificate or --cert-selector\?/ },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} --profile build", status: 2, effect: "error", stderr: /--profile is not a flag of credential-process, but of update, configure and doctor/ },
  { line: "credential-process --certificate {cert} --private-key {key} --role-arn {role}", status: 2, effect: "error", stderr: /--profile-arn, --trust-anchor-arn are missing; see aws_signing_helper credential-process --help/ },
  { line: "credential-process", status: 2, effect: "error", stderr: /--role-arn, --profile-arn, --trust-anchor-arn, --certificate or --cert-selector are missing/ },
  { line: "credential-process --certificate {cert} --private-key {key} {arns} extra", status: 2, effect: "error", stderr: /unexpected argument "extra"; .*see aws_signing_helper credential-process --help/ },
  { line: "credentials-process --certificate {cert}", status: 2, effect: "error", stderr: /did you mean credential-process\?/ },
  { line: "--certificate {cert} --private-key {key}", status: 2, effect: "error", stderr: /no command was given/ },
];
// deno-fmt-ignore-end
