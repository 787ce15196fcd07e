/** Response of the emulator to a request. */
export interface EmulatedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
  /**
   * Delivery of the response. `whole`: complete. `drop`: nothing before the connection is closed.
   * `hang`: nothing, with the connection left open. `half`: the headers and half of the body before
   * the connection is closed.
   */
  readonly delivery: "whole" | "drop" | "hang" | "half";
  /** Delay before the first octet. */
  readonly delayMilliseconds: number;
}

/** Returns a complete response with a JSON body, or with `body` if that is text. */
export function jsonResponse(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): EmulatedResponse {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: new TextEncoder().encode(text),
    delivery: "whole",
    delayMilliseconds: 0,
  };
}

/** Returns an error in the form of the service: the code in `x-amzn-errortype`, the text in `message`. */
export function errorAnswer(status: number, code: string, message: string): EmulatedResponse {
  return jsonResponse(status, { message }, { "x-amzn-errortype": code });
}
