import { randomBytes } from "node:crypto";

import type { RawRequest } from "../emulator/raw_request.ts";
import { headerValues } from "../emulator/raw_request.ts";
import { type KnownCredentials, SignatureRefusal } from "./signature_version_4.ts";
import { type ServerTls, VerifyingService } from "./verifying_service.ts";

const JSON_TYPE = { "content-type": "application/x-amz-json-1.1" };
const TARGET = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";

/** GetAuthorizationToken of Amazon ECR on loopback, for requests signed with known credentials. */
export class EcrService extends VerifyingService {
  /** The registry's password in the response. */
  readonly password = randomBytes(16).toString("hex");

  constructor(known: () => readonly KnownCredentials[], readonly registry: string, tls: ServerTls) {
    super("ecr", known, tls);
  }

  protected override answer(request: RawRequest): Response {
    const [target] = headerValues(request, "x-amz-target");
    if (target !== TARGET) throw new SignatureRefusal("UnknownOperationException", `${target}`);
    return Response.json({
      authorizationData: [{
        authorizationToken: btoa(`AWS:${this.password}`),
        expiresAt: Math.floor(Date.now() / 1000) + 12 * 3600,
        proxyEndpoint: `https://${this.registry}`,
      }],
    }, { headers: JSON_TYPE });
  }

  protected override refuse({ code, message }: SignatureRefusal): Response {
    return Response.json({ __type: code, message }, { status: 400, headers: JSON_TYPE });
  }
}
