/** Calls of Roles Anywhere and IAM that create and delete the quick start's resources. */
import { assertEquals } from "@std/assert";

import { xml } from "./verifying_service.ts";

const IAM_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/";

/** ARNs that the control plane returns. */
export interface ControlPlaneArns {
  readonly trustAnchor: string;
  readonly role: string;
  readonly profile: string;
}

/** Role that a document makes, and the condition of its policy on the certificate. */
export interface DocumentedRole {
  readonly name: string;
  readonly condition: Readonly<Record<string, string>>;
}

const QUICK_START_ROLE: DocumentedRole = {
  name: "build-server",
  condition: { "aws:PrincipalTag/x509Subject/CN": "build-server-1" },
};

/** AWS's control plane on loopback: it makes what the quick start makes, and checks how it is joined. */
export class ControlPlane implements AsyncDisposable {
  /** Names of the calls, in order. */
  readonly calls: string[] = [];
  /** PEM that CreateTrustAnchor sent. */
  trustedCertificate: string | undefined;
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(readonly arns: ControlPlaneArns, private readonly role = QUICK_START_ROLE) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) =>
        this.#respond(request.method, new URL(request.url).pathname, await request.text()),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  #respond(method: string, path: string, body: string): Response {
    if (method === "DELETE") return this.#delete(path);
    if (path === "/trustanchors") return this.#createTrustAnchor(JSON.parse(body));
    if (path === "/profiles") return this.#createProfile(JSON.parse(body));
    return this.#iam(new URLSearchParams(body));
  }

  #createTrustAnchor(input: {
    readonly enabled: boolean;
    readonly source: {
      readonly sourceType: string;
      readonly sourceData: { readonly x509CertificateData: string };
    };
  }): Response {
    this.calls.push("CreateTrustAnchor");
    assertEquals([input.enabled, input.source.sourceType], [true, "CERTIFICATE_BUNDLE"]);
    this.trustedCertificate = input.source.sourceData.x509CertificateData;
    return Response.json({ trustAnchor: { trustAnchorArn: this.arns.trustAnchor } }, {
      status: 201,
    });
  }

  #createProfile(input: { readonly enabled: boolean; readonly roleArns: unknown }): Response {
    this.calls.push("CreateProfile");
    assertEquals([input.enabled, input.roleArns], [true, [this.arns.role]]);
    return Response.json({ profile: { profileArn: this.arns.profile } }, { status: 201 });
  }

  #delete(path: string): Response {
    const { profile, trustAnchor } = this.arns;
    const idOf = (arn: string) => arn.split("/").at(-1);
    if (path === `/profile/${idOf(profile)}`) {
      this.calls.push("DeleteProfile");
      return Response.json({ profile: { profileArn: profile } });
    }
    assertEquals(path, `/trustanchor/${idOf(trustAnchor)}`);
    this.calls.push("DeleteTrustAnchor");
    return Response.json({ trustAnchor: { trustAnchorArn: trustAnchor } });
  }

  #iam(input: URLSearchParams): Response {
    const action = input.get("Action") ?? "";
    this.calls.push(action);
    assertEquals(input.get("RoleName"), this.role.name);
    if (action !== "CreateRole") {
      return xml(200, `<${action}Response xmlns="${IAM_NAMESPACE}"/>`);
    }
    const policy = JSON.parse(input.get("AssumeRolePolicyDocument") ?? "");
    const [statement] = policy.Statement;
    assertEquals(statement.Condition, {
      ArnEquals: { "aws:SourceArn": this.arns.trustAnchor },
      StringEquals: this.role.condition,
    });
    return xml(
      200,
      `<CreateRoleResponse xmlns="${IAM_NAMESPACE}"><CreateRoleResult><Role>` +
        `<Arn>${this.arns.role}</Arn></Role></CreateRoleResult></CreateRoleResponse>`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
