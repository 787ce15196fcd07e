import { assertEquals } from "@std/assert";

const text = (path: string) => Deno.readTextFileSync(new URL(path, import.meta.url));

/** Where each version in README's "Tested with" is pinned. */
const PINNED: readonly [sdk: string, file: string, pin: RegExp][] = [
  ["AWS SDK for Python (boto3)", "python/requirements.txt", /^boto3==(\S+)$/m],
  ["AWS CLI 1", "python/requirements.txt", /^awscli==(\S+)$/m],
  ["AWS SDK for JavaScript v3", "javascript/package.json", /"@aws-sdk\/client-sts": "(\S+)"/],
  ["AWS SDK for Go v2", "go/go.mod", /^\tgithub\.com\/aws\/aws-sdk-go-v2 v(\S+)$/m],
  ["AWS SDK for Java v2", "java/pom.xml", /<sdk\.version>(\S+)<\/sdk\.version>/],
  ["AWS SDK for Rust", "rust/Cargo.toml", /^aws-config = \{ version = "=([^"]+)"/m],
];

Deno.test("README's table of SDKs names the versions that the tests run", () => {
  const [, section = ""] = text("../../README.md").split("\n## Tested with\n");
  const rows = [...section.matchAll(/^\| (AWS .*?) +\| ([\d.]+)/gm)];
  assertEquals(
    rows.map(([, sdk, version]) => [sdk, version]),
    PINNED.map(([sdk, file, pin]) => [sdk, pin.exec(text(file))?.[1]]),
  );
});
