/** Modules that `cells.ts` measures in process, as one bundle for each variant. */
export { createApp } from "../../src/imds/app.ts";
export { Refresher } from "../../src/credentials/refresh/refresher.ts";
export { hostCheck } from "../../src/imds/host_check.ts";
export { TokenStore } from "../../src/imds/tokens.ts";
