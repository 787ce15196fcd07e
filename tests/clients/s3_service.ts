import { createHash, randomBytes } from "node:crypto";

import { queryParameters, type RawRequest, splitTarget } from "../emulator/raw_request.ts";
import { type KnownCredentials, SignatureRefusal } from "./signature_version_4.ts";
import { escapeXml, VerifyingService, xml } from "./verifying_service.ts";
import { streamedBody } from "./streamed_body.ts";

const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
const MODIFIED = new Date("2026-01-01T00:00:00Z");

/** One bucket of Amazon S3 in memory on loopback, for requests signed with known credentials. */
export class S3Service extends VerifyingService {
  static readonly BUCKET = "demo-bucket";
  /** The object that each service has from the start. */
  static readonly KEY = "proof.csv";
  /** The value in that object: random, so that only its readers know it. */
  readonly proof = randomBytes(8).toString("hex");
  readonly #objects = new Map<string, Uint8Array<ArrayBuffer>>();

  constructor(known: () => readonly KnownCredentials[]) {
    super("s3", known);
    this.#put(S3Service.KEY, `proof\nx${this.proof}\n`);
    this.#put("table/_delta_log/00000000000000000000.json", emptyTable(this.proof));
  }

  protected override answer(request: RawRequest): Response {
    const { path, query } = splitTarget(request.url);
    const [, bucket = "", key = ""] = /^\/+([^/]*)\/*(.*)$/.exec(decodeURIComponent(path)) ?? [];
    const parameters = new Map(queryParameters(query));
    if (bucket === "") return xml(200, this.#buckets());
    if (bucket !== S3Service.BUCKET) return failure(404, "NoSuchBucket", bucket);
    if (key === "") return this.#bucket(request.method, parameters);
    switch (request.method) {
      case "PUT": {
        const body = streamedBody(request) ?? request.body;
        this.#objects.set(key, body);
        return new Response(null, { headers: { etag: etag(body) } });
      }
      case "DELETE":
        this.#objects.delete(key);
        return new Response(null, { status: 204 });
      case "GET":
      case "HEAD":
        return this.#read(request, key);
      default:
        throw new SignatureRefusal("NotImplemented", `${request.method} ${path}`);
    }
  }

  protected override refuse({ code, message }: SignatureRefusal): Response {
    return failure(403, code, message);
  }

  #put(key: string, text: string): void {
    this.#objects.set(key, new TextEncoder().encode(text));
  }

  #read(request: RawRequest, key: string): Response {
    const body = this.#objects.get(key);
    if (body === undefined) return failure(404, "NoSuchKey", key, request.method === "HEAD");
    const headers = {
      etag: etag(body),
      "last-modified": MODIFIED.toUTCString(),
      "accept-ranges": "bytes",
      "content-type": "application/octet-stream",
    };
    const [, range] = request.headers.find(([name]) => name.toLowerCase() === "range") ?? [];
    const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(range ?? "") ?? [];
    if (from === undefined || to === undefined) {
      return respond(request, 200, { ...headers, "content-length": `${body.length}` }, body);
    }
    const start = from === "" ? Math.max(0, body.length - Number(to)) : Number(from);
    const end = from === "" || to === "" ? body.length : Math.min(body.length, Number(to) + 1);
    if (start >= end) return failure(416, "InvalidRange", range ?? "");
    const part = body.slice(start, end);
    return respond(request, 206, {
      ...headers,
      "content-length": `${part.length}`,
      "content-range": `bytes ${start}-${end - 1}/${body.length}`,
    }, part);
  }

  #bucket(method: string, parameters: ReadonlyMap<string, string>): Response {
    if (method === "HEAD") return new Response(null, { status: 200 });
    if (method === "PUT") return new Response(null, { status: 200 });
    if (parameters.has("location")) {
      return xml(200, `<LocationConstraint ${NAMESPACE}>eu-central-1</LocationConstraint>`);
    }
    if (parameters.has("uploads")) {
      return xml(
        200,
        `<ListMultipartUploadsResult ${NAMESPACE}><Bucket>${S3Service.BUCKET}</Bucket>` +
          `<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>`,
      );
    }
    return xml(200, this.#listing(parameters));
  }

  #listing(parameters: ReadonlyMap<string, string>): string {
    const prefix = parameters.get("prefix") ?? "";
    const delimiter = parameters.get("delimiter") ?? "";
    const after = parameters.get("start-after") ?? "";
    const common = new Set<string>();
    const contents: string[] = [];
    for (const [key, body] of [...this.#objects].toSorted(([a], [b]) => a < b ? -1 : 1)) {
      if (!key.startsWith(prefix) || key <= after) continue;
      const cut = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
      if (cut >= 0) {
        common.add(key.slice(0, cut + delimiter.length));
        continue;
      }
      contents.push(
        `<Contents><Key>${escapeXml(key)}</Key><LastModified>${MODIFIED.toISOString()}` +
          `</LastModified><ETag>${escapeXml(etag(body))}</ETag><Size>${body.length}</Size>` +
          "<StorageClass>STANDARD</StorageClass></Contents>",
      );
    }
    return `<ListBucketResult ${NAMESPACE}><Name>${S3Service.BUCKET}</Name>` +
      `<Prefix>${escapeXml(prefix)}</Prefix><KeyCount>${contents.length + common.size}</KeyCount>` +
      `<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>${contents.join("")}` +
      [...common].map((one) =>
        `<CommonPrefixes><Prefix>${escapeXml(one)}</Prefix></CommonPrefixes>`
      ).join("") + "</ListBucketResult>";
  }

  #buckets(): string {
    return `<ListAllMyBucketsResult ${NAMESPACE}><Owner><ID>1</ID></Owner><Buckets><Bucket>` +
      `<Name>${S3Service.BUCKET}</Name><CreationDate>${MODIFIED.toISOString()}</CreationDate>` +
      "</Bucket></Buckets></ListAllMyBucketsResult>";
  }
}

/** Returns the first log entry of a Delta Lake table without rows. */
function emptyTable(description: string): string {
  const schema = {
    type: "struct",
    fields: [{ name: "proof", type: "string", nullable: true, metadata: {} }],
  };
  const metaData = {
    id: "2d1b8a3e-0000-4000-8000-000000000000",
    description,
    format: { provider: "parquet", options: {} },
    schemaString: JSON.stringify(schema),
    partitionColumns: [],
    configuration: {},
    createdTime: MODIFIED.getTime(),
  };
  const entries = [{ protocol: { minReaderVersion: 1, minWriterVersion: 2 } }, { metaData }];
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
}

function respond(
  request: RawRequest,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array<ArrayBuffer>,
): Response {
  return new Response(request.method === "HEAD" ? null : body, { status, headers });
}

function etag(body: Uint8Array): string {
  return `"${createHash("md5").update(body).digest("hex")}"`;
}

function failure(status: number, code: string, message: string, isHead = false): Response {
  if (isHead) return new Response(null, { status });
  return xml(
    status,
    `<Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>`,
  );
}
