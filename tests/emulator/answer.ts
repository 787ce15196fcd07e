/** What the emulator does with a request, once decided. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
  /**
   * How the answer travels: all of it, no octet of it before the connection is closed, never with
   * the connection left open, or the headers and half of the body before the connection is closed.
   */
  readonly delivery: "whole" | "drop" | "hang" | "half";
  /** Waited before the first octet. */
  readonly delayMilliseconds: number;
}

/** A whole answer with a JSON body, unless `body` is text already. */
export function answer(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: new TextEncoder().encode(text),
    delivery: "whole",
    delayMilliseconds: 0,
  };
}

/** An error in the shape of the service: the code in `x-amzn-errortype`, the text in `message`. */
export function errorAnswer(status: number, code: string, message: string): Answer {
  return answer(status, { message }, { "x-amzn-errortype": code });
}
