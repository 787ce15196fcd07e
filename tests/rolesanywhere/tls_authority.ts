import { createAuthority, issueCertificate } from "../support/certificates.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** A server's certificate and key, and its authority, PEM. */
export interface ServerCertificate {
  readonly authority: string;
  readonly cert: string;
  readonly key: string;
}

/** Creates a TLS server's certificate for the hosts, by an untrusted authority. */
export async function makeServerCertificate(
  hosts: readonly string[],
  validity: { notBefore?: Date; notAfter?: Date } = {},
): Promise<ServerCertificate> {
  using directory = new TemporaryDirectory();
  const authority = await createAuthority(directory, { subject: "/CN=Test TLS authority" });
  const server = await issueCertificate(authority, { subject: "/CN=server", hosts, ...validity });
  return { authority: authority.certificatePem, cert: server.certificatePem, key: server.keyPem };
}
