import { headerValues, type RawRequest } from "../emulator/raw_request.ts";

/** Returns the decoded body of an `aws-chunked` request; undefined if the body is not in chunks. */
export function streamedBody(request: RawRequest): Uint8Array<ArrayBuffer> | undefined {
  const [payload = ""] = headerValues(request, "x-amz-content-sha256");
  if (!payload.startsWith("STREAMING-")) return undefined;
  const parts = [...chunks(request.body)].map(({ data }) => data);
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** Returns each chunk's data and signature ("" if the chunks are not signed), the empty one too. */
export function* chunks(
  body: Uint8Array<ArrayBuffer>,
): Generator<{ readonly data: Uint8Array<ArrayBuffer>; readonly signature: string }> {
  for (let at = 0; at < body.length;) {
    const end = body.indexOf(0x0a, at);
    const header = new TextDecoder().decode(body.subarray(at, end)).trim();
    const [, size, signature = ""] =
      /^([0-9a-f]+)(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(header) ?? [];
    if (end < 0 || size === undefined) throw new RangeError(`chunk header: ${header}`);
    const length = parseInt(size, 16);
    const data = body.slice(end + 1, end + 1 + length);
    yield { data, signature };
    if (length === 0) return; // trailers follow
    at = end + 1 + length + 2;
  }
}
