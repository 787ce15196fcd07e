import { assertEquals } from "@std/assert";

import { AWS_CLIENTS, readmeRows } from "./aws_clients.ts";

const text = (path: string) => Deno.readTextFileSync(new URL(path, import.meta.url));

const LIBRARIES = "python/libraries.txt";
const PACKAGE = "javascript/package.json";

/** File and pattern of each client's pinned version; Debian's are not pinned. */
const PINNED: Readonly<Record<string, readonly [file: string, pin: RegExp]>> = {
  "boto3": ["python/requirements.txt", /^boto3==(\S+)$/m],
  "AWS CLI 1": ["python/requirements.txt", /^awscli==(\S+)$/m],
  "aiobotocore": [LIBRARIES, /^aiobotocore==(\S+)$/m],
  "AWS SDK for JavaScript": [PACKAGE, /"@aws-sdk\/client-sts": "(\S+)"/],
  "AWS SDK for Go v2": ["go/go.mod", /^\tgithub\.com\/aws\/aws-sdk-go-v2 v(\S+)$/m],
  "AWS SDK for Go v1": ["go_v1/go.mod", /^require github\.com\/aws\/aws-sdk-go v(\S+)$/m],
  "aws-sdk-go-base": [
    "go_base/go.mod",
    /^require github\.com\/hashicorp\/aws-sdk-go-base\/v2 v(\S+)$/m,
  ],
  "AWS SDK for Java": ["java/pom.xml", /<sdk\.version>(\S+)<\/sdk\.version>/],
  "AWS SDK for Rust": ["rust/Cargo.toml", /^aws-config = \{ version = "=([^"]+)"/m],
  "awscrt": [LIBRARIES, /^awscrt==(\S+)$/m],
  "aws-crt": [PACKAGE, /"aws-crt": "(\S+)"/],
  "s3torchconnectorclient": [LIBRARIES, /^s3torchconnectorclient==(\S+)$/m],
  "pyarrow": [LIBRARIES, /^pyarrow==(\S+)$/m],
  "obstore": [LIBRARIES, /^obstore==(\S+)$/m],
  "polars": [LIBRARIES, /^polars==(\S+)$/m],
  "deltalake": [LIBRARIES, /^deltalake==(\S+)$/m],
  "minio": [PACKAGE, /"minio": "(\S+)"/],
};

/** Names of the clients in the table of regions. */
const REGION_ROWS: Readonly<Record<string, string>> = {
  "AWS SDK for Python (boto3)": "boto3",
  "AWS CLI 1": "AWS CLI 1",
  "AWS SDK for JavaScript v3": "AWS SDK for JavaScript",
  "AWS SDK for Go v2": "AWS SDK for Go v2",
  "AWS SDK for Java v2": "AWS SDK for Java",
  "AWS SDK for Rust": "AWS SDK for Rust",
};

const pinned = (name: string): string | undefined => {
  const [file, pin] = PINNED[name] ?? [];
  return file === undefined ? undefined : pin?.exec(text(file))?.[1];
};

Deno.test("the table of clients has the versions that are installed", () => {
  const pins = AWS_CLIENTS.filter(({ debian }) => debian === undefined);
  assertEquals(
    pins.map(({ name, version }) => [name, version]),
    pins.map(({ name }) => [name, pinned(name)]),
  );
});

Deno.test("the table of SDKs names the versions that the tests run", () => {
  const [, section = ""] = text("../README.md").split("\n## Tested with\n");
  const [first = ""] = section.split("\n### ");
  const rows = [...first.matchAll(/^\| (AWS .*?) +\| ([\d.]+)/gm)];
  assertEquals(
    rows.map(([, sdk, version]) => [sdk, version]),
    Object.entries(REGION_ROWS).map(([sdk, name]) => [sdk, pinned(name)]),
  );
});

Deno.test("the table of clients and ways is the one that the tests run", () => {
  const [, section = ""] = text("../README.md").split("\n### Which client, which way\n");
  const [, ...rows] =
    section.split("\n\n").find((part) => part.startsWith("| Client"))?.split("\n") ??
      [];
  assertEquals(
    rows.slice(1).map((row) => row.split("|").slice(1, -1).map((cell) => cell.trim())),
    AWS_CLIENTS.flatMap(readmeRows),
  );
});
