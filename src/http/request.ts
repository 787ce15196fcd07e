/** HTTP request that is ready to be sent. */
export interface HttpRequest {
  readonly url: URL;
  readonly method: "POST" | "GET";
  /** All headers except Host, which comes from the URL. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
}
