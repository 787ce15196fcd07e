import { CreateSessionEmulator, type EmulatorOptions } from "../emulator/emulator.ts";
import {
  type Authority,
  type CertificateFiles,
  type CertificateRequest,
  createAuthority,
  issueCertificate,
} from "./certificates.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

/** ARNs that the emulator accepts. */
export const ARNS = {
  role: "arn:aws:iam::123456789012:role/Demo",
  profile: "arn:aws:rolesanywhere:us-east-1:123456789012:profile/2d1b8a3e-demo",
  trustAnchor: "arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/7c0f4a91-demo",
} as const;

/** The three ARN flags. */
export const ARN_FLAGS: readonly string[] = [
  "--role-arn",
  ARNS.role,
  "--profile-arn",
  ARNS.profile,
  "--trust-anchor-arn",
  ARNS.trustAnchor,
];

/**
 * Everything that a session needs: a trust anchor, an end-entity certificate of it, and an emulator
 * with TLS. The authority of the emulator is in the `caBundle` file.
 */
export class SessionScenario implements AsyncDisposable {
  private constructor(
    readonly directory: TemporaryDirectory,
    readonly trustAnchor: Authority,
    readonly identity: CertificateFiles,
    readonly caBundle: string,
    readonly emulator: CreateSessionEmulator,
  ) {}

  /** Creates one. `identity` configures the end-entity certificate, `emulator` the service. */
  static async create(
    identity: Partial<CertificateRequest> = {},
    emulator: Partial<EmulatorOptions> = {},
  ): Promise<SessionScenario> {
    const directory = new TemporaryDirectory();
    try {
      const trustAnchor = await createAuthority(directory, { subject: "/CN=Demo trust anchor" });
      const serverAuthority = await createAuthority(directory, {
        subject: "/CN=Demo TLS authority",
      });
      const server = await issueCertificate(serverAuthority, {
        subject: "/CN=localhost",
        hosts: ["localhost", "127.0.0.1"],
      });
      return new SessionScenario(
        directory,
        trustAnchor,
        await issueCertificate(trustAnchor, { subject: "/CN=demo-machine", ...identity }),
        serverAuthority.certificatePath,
        await CreateSessionEmulator.start({
          trustAnchors: [trustAnchor.certificatePem],
          tls: { certificate: server.certificatePem, key: server.keyPem },
          region: "us-east-1",
          ...emulator,
        }),
      );
    } catch (thrown) {
      directory[Symbol.dispose]();
      throw thrown;
    }
  }

  /** Flags that name the service: endpoint, its authority, and the ARNs. */
  get serviceFlags(): readonly string[] {
    return [...ARN_FLAGS, "--endpoint", this.emulator.url, "--ca-bundle", this.caBundle];
  }

  /** All flags of a `credential-process` that succeeds. */
  get flags(): readonly string[] {
    const { certificatePath, keyPath } = this.identity;
    return ["--certificate", certificatePath, "--private-key", keyPath, ...this.serviceFlags];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.emulator[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
  }
}
