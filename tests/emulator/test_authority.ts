import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { issueMldsaCertificate } from "../support/mldsa_certificate.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Creates the certificates for the emulator's tests; no files are left. */
export async function makeTestAuthority() {
  using directory = new TemporaryDirectory();
  const root = await createAuthority(directory, { subject: "/CN=Test Root", keyType: "ec-p384" });
  const stranger = await createAuthority(directory, { subject: "/CN=Test Root" });
  const expiredRoot = await createAuthority(directory, {
    subject: "/CN=Expired Root",
    days: -1,
  });
  const upper = await issueCertificate(root, { subject: "/CN=Upper", ca: true });
  const lower = await issueCertificate(upper, {
    subject: "/CN=Lower",
    ca: true,
    keyType: "ec-p521",
  });
  const notAnAuthority = await issueCertificate(root, { subject: "/CN=Not an authority" });
  const limited = await issueCertificate(root, {
    subject: "/CN=Limited",
    ca: true,
    extensions: { basicConstraints: "critical,CA:TRUE,pathlen:0" },
  });
  const belowLimited = await issueCertificate(limited, { subject: "/CN=Below", ca: true });
  const noSigning = await issueCertificate(root, {
    subject: "/CN=No signing",
    ca: true,
    extensions: { keyUsage: "critical,cRLSign" },
  });
  const expiredMiddle = await issueCertificate(root, {
    subject: "/CN=Expired Middle",
    ca: true,
    days: -1,
  });
  const subject = "/O=Example/CN=tester";
  const client = await issueCertificate(root, { subject });
  return {
    root,
    expiredRoot,
    upper,
    lower,
    limited,
    belowLimited,
    noSigning,
    notAnAuthority,
    expiredMiddle,
    client,
    rsa1024: await issueCertificate(root, { subject, keyType: "rsa-1024" }),
    rsa: await issueCertificate(root, { subject, keyType: "rsa-2048" }),
    ec384: await issueCertificate(root, { subject, keyType: "ec-p384" }),
    ec521: await issueCertificate(root, { subject, keyType: "ec-p521" }),
    mldsa44: await issueMldsaCertificate(root, { subject, level: 44 }),
    mldsa65: await issueMldsaCertificate(root, { subject, level: 65 }),
    mldsa87: await issueMldsaCertificate(root, { subject, level: 87 }),
    smallSerial: await issueCertificate(root, { subject, serial: 0x0abcn }),
    highSerial: await issueCertificate(root, { subject, serial: 0xff00ff00ff00ff00ff00n }),
    ofStranger: await issueCertificate(stranger, { subject }),
    ofExpiredRoot: await issueCertificate(expiredRoot, { subject }),
    renamedUpper: await issueCertificate(root, {
      subject: "/CN=Renamed",
      ca: true,
      keyPath: upper.keyPath,
    }),
    ofUpper: await issueCertificate(upper, { subject }),
    ofLower: await issueCertificate(lower, { subject }),
    ofBelowLimited: await issueCertificate(belowLimited, { subject }),
    ofNoSigning: await issueCertificate(noSigning, { subject }),
    ofNotAnAuthority: await issueCertificate(notAnAuthority, { subject }),
    ofExpiredMiddle: await issueCertificate(expiredMiddle, { subject }),
    expired: await issueCertificate(root, { subject, days: -1 }),
    notYetValid: await issueCertificate(root, {
      subject,
      notBefore: new Date(Date.now() + 86_400_000),
    }),
    noKeyUsage: await issueCertificate(root, { subject, extensions: { keyUsage: null } }),
    wrongKeyUsage: await issueCertificate(root, {
      subject,
      extensions: { keyUsage: "critical,keyEncipherment" },
    }),
    versionOne: await issueCertificate(root, {
      subject,
      extensions: {
        basicConstraints: null,
        keyUsage: null,
        extendedKeyUsage: null,
        subjectKeyIdentifier: null,
        authorityKeyIdentifier: null,
      },
    }),
    sha1: await issueCertificate(root, { subject, digest: "sha1" }),
    server: await issueCertificate(root, {
      subject: "/CN=localhost",
      hosts: ["localhost", "127.0.0.1"],
    }),
  };
}
