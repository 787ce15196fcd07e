import { randomBytes, randomInt } from "node:crypto";

import type { RawRequest } from "../emulator/raw_request.ts";
import { type KnownCredentials, SignatureRefusal } from "./signature_version_4.ts";
import { escapeXml, VerifyingService, xml } from "./verifying_service.ts";

/** Result of GetCallerIdentity. */
export interface CallerIdentity {
  readonly account: string;
  readonly arn: string;
  readonly userId: string;
}

/** GetCallerIdentity of AWS STS on loopback, for requests signed with known credentials. */
export class StsService extends VerifyingService {
  /** Its response to all requests; random, so that only its readers know it. */
  readonly identity: CallerIdentity;

  /** @param known the credentials given out so far, asked for at each request */
  constructor(known: () => readonly KnownCredentials[]) {
    super("sts", known);
    const session = randomBytes(8).toString("hex");
    const account = String(randomInt(1e11, 1e12));
    this.identity = {
      account,
      arn: `arn:aws:sts::${account}:assumed-role/Demo/${session}`,
      userId: `AROADEMO:${session}`,
    };
  }

  protected override answer(request: RawRequest): Response {
    const action = new URLSearchParams(new TextDecoder().decode(request.body)).get("Action");
    if (request.method !== "POST" || action !== "GetCallerIdentity") {
      throw new SignatureRefusal("InvalidAction", `${request.method} ${action}`);
    }
    return xml(200, identityDocument(this.identity));
  }

  protected override refuse({ code, message }: SignatureRefusal): Response {
    return xml(403, errorDocument(code, message));
  }
}

function identityDocument({ account, arn, userId }: CallerIdentity): string {
  return '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
    `<GetCallerIdentityResult><Arn>${arn}</Arn><UserId>${userId}</UserId>` +
    `<Account>${account}</Account></GetCallerIdentityResult>` +
    `<ResponseMetadata><RequestId>${crypto.randomUUID()}</RequestId></ResponseMetadata>` +
    "</GetCallerIdentityResponse>";
}

function errorDocument(code: string, message: string): string {
  return '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>' +
    `<Type>Sender</Type><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>` +
    `<RequestId>${crypto.randomUUID()}</RequestId></ErrorResponse>`;
}
