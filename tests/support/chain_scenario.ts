import { AssumeRoleService } from "../emulator/assume_role_service.ts";
import { createAuthority, issueCertificate } from "./certificates.ts";
import { SessionScenario } from "./session_scenario.ts";

/** Roles of a chain, each in another account. */
export const MIDDLE = "arn:aws:iam::222222222222:role/path/Middle";
export const LAST = "arn:aws:iam::333333333333:role/team/Last";

/** A session scenario, and STS with TLS of an authority in the same `caBundle`. */
export class ChainScenario implements AsyncDisposable {
  private constructor(
    readonly session: SessionScenario,
    readonly sts: AssumeRoleService,
    readonly caBundle: string,
  ) {}

  /** Creates one. `externalIds` are those that roles require. */
  static async create(
    externalIds: Readonly<Record<string, string>> = {},
    emulator: Parameters<typeof SessionScenario.create>[1] = {},
  ): Promise<ChainScenario> {
    const session = await SessionScenario.create({}, emulator);
    try {
      const authority = await createAuthority(session.directory, { subject: "/CN=STS authority" });
      const server = await issueCertificate(authority, {
        subject: "/CN=localhost",
        hosts: ["localhost", "127.0.0.1"],
      });
      const bundle = Deno.readTextFileSync(session.caBundle) + authority.certificatePem;
      const sts = new AssumeRoleService(() => session.emulator.issued, {
        tls: { certificate: server.certificatePem, key: server.keyPem },
        externalIds,
      });
      return new ChainScenario(session, sts, session.directory.write("bundle.pem", bundle));
    } catch (thrown) {
      await session[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** The flags of a session without a chain. The endpoint of STS is given. */
  get flags(): readonly string[] {
    const { flags, caBundle } = this.session;
    return [
      ...flags.map((text) => text === caBundle ? this.caBundle : text),
      "--sts-endpoint",
      this.sts.localhost,
    ];
  }

  /** Roles that were assumed, in order. */
  get assumed(): readonly string[] {
    return this.sts.issued.map(({ role }) => role);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sts[Symbol.asyncDispose]();
    await this.session[Symbol.asyncDispose]();
  }
}
