import { assert, assertEquals, assertMatch } from "@std/assert";

import { VERSION } from "../../src/cli/commands/version.ts";
import { BINARY, runProgram } from "../support/binary.ts";
import { blocks } from "../support/documents.ts";
import { testWith } from "../support/needs.ts";
import { must, ROOT } from "../support/release.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { compiledClient, PYTHON } from "../support/tools.ts";

const MANIFESTS = `${ROOT}packaging/kubernetes`;
const { folder } = compiledClient("kustomize");
const KUSTOMIZE = `${folder}kustomize`;
const VALIDATE = `${ROOT}build/clients/python/bin/kubernetes-validate`;
const SETS = [
  ...["sidecar-serve", "sidecar-update", "sidecar-roles"],
  ...["node-agent", "node-agent-secret"],
];

/** Fields of a manifest that these tests read; the schemas check its form. */
interface Manifest {
  readonly kind: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly template?: { readonly spec: PodSpec } };
}

interface PodSpec {
  readonly securityContext: {
    readonly runAsNonRoot: boolean;
    readonly seccompProfile: { readonly type: string };
  };
  readonly automountServiceAccountToken: boolean;
  readonly enableServiceLinks: boolean;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly Readonly<Record<string, unknown>>[];
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly securityContext: Readonly<Record<string, unknown>>;
}

async function documentsOf(rendered: string): Promise<Manifest[]> {
  const script = "import json,sys,yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))";
  const { stdout } = await runProgram(PYTHON, ["-c", script], { stdin: rendered });
  return JSON.parse(stdout);
}

const validate = (file: string, version: string) =>
  runProgram(VALIDATE, ["--strict", "-k", version, file]);

/** Checks a file with the strict schemas of the oldest and the newest version. */
async function assertValid(file: string): Promise<void> {
  for (const version of ["1.30.0", "1.37.0"]) {
    const { code, stdout, stderr } = await validate(file, version);
    assertEquals(code, 0, `${version}: ${stdout}${stderr}`);
  }
}

Deno.test("every set of manifests is known to these tests", () => {
  assertEquals(
    [...Deno.readDirSync(MANIFESTS)].map(({ name }) => name).toSorted(),
    SETS.toSorted(),
  );
});

for (const set of SETS) {
  testWith(
    ["kustomize"],
    `${set}: kustomize's output is valid by the strict schemas of Kubernetes 1.30 and 1.37`,
    async () => {
      using directory = new TemporaryDirectory();
      const rendered = await must(KUSTOMIZE, ["build", `${MANIFESTS}/${set}`]);
      await assertValid(directory.write("rendered.yaml", rendered));
      const wrong = directory.write(
        "wrong.yaml",
        rendered.replace("runAsNonRoot: true", "runAsNonRot: true"),
      );
      assertEquals((await validate(wrong, "1.37.0")).code, 1);
    },
  );

  testWith(
    ["kustomize"],
    `${set}: the helper is restricted, of this version, and without service links`,
    async () => {
      const documents = await documentsOf(await must(KUSTOMIZE, ["build", `${MANIFESTS}/${set}`]));
      const pods = documents.flatMap(({ spec }) => spec?.template ? [spec.template.spec] : []);
      assertEquals(pods.length, 1);
      const [pod] = pods;
      assert(pod);
      assertEquals(pod.securityContext.runAsNonRoot, true);
      assertEquals(pod.securityContext.seccompProfile.type, "RuntimeDefault");
      assertEquals([pod.automountServiceAccountToken, pod.enableServiceLinks], [false, false]);
      const helpers = [...pod.initContainers ?? [], ...pod.containers]
        .filter(({ image }) => image.startsWith("aws_signing_helper"));
      assertEquals(helpers.length > 0, true);
      for (const { image, securityContext } of helpers) {
        assertEquals(image, `aws_signing_helper:${VERSION}`);
        assertEquals(securityContext, {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
          readOnlyRootFilesystem: true,
        });
      }
    },
  );
}

testWith(
  ["kustomize", "binary"],
  "sidecar-roles: serve takes its roles, one for each container",
  async () => {
    const rendered = await must(KUSTOMIZE, ["build", `${MANIFESTS}/sidecar-roles`]);
    const documents = await documentsOf(rendered);
    const text = documents.flatMap(({ data }) => data?.["roles.json"] ?? [])[0] ?? "";
    const roles: { name: string; users: number[] }[] = JSON.parse(text);
    const pod = documents.flatMap(({ spec }) => spec?.template ? [spec.template.spec] : [])[0];
    assertEquals(
      pod?.containers.map(({ name, securityContext }) => [name, [securityContext["runAsUser"]]]),
      roles.map(({ name, users }) => [name, users]),
    );
    using directory = new TemporaryDirectory();
    const file = directory.write("roles.json", text);
    const arns = documents.flatMap(({ data = {} }) => Object.entries(data))
      .filter(([name]) => name.endsWith("_ARN"));
    const { stdout } = await runProgram(BINARY, ["doctor", "--json", "--roles", file], {
      env: Object.fromEntries(arns),
    });
    const names = JSON.parse(stdout).findings.map(({ name }: { name: string }) => name);
    assertEquals(names.filter((name: string) => /^role|^arn/.test(name)), ["roles"]);
  },
);

testWith(
  ["kustomize"],
  "the documented kustomization builds what the schemas take, with its own names",
  async () => {
    using directory = new TemporaryDirectory();
    await must("cp", ["-r", `${MANIFESTS}/sidecar-serve`, directory.path]);
    const [kustomization = ""] = blocks("packaging/README.md", "kustomization");
    directory.write("kustomization.yaml", kustomization);
    directory.write("certificate.pem", "certificate\n");
    directory.write("key.pem", "key\n");
    const rendered = await must(KUSTOMIZE, ["build", directory.path]);
    await assertValid(directory.write("rendered.yaml", rendered));
    const documents = await documentsOf(rendered);
    assertEquals(documents.map(({ kind }) => kind), ["ConfigMap", "Secret", "Deployment"]);
    const [, secret, deployment] = documents;
    const pod = deployment?.spec?.template?.spec;
    const images = [...pod?.initContainers ?? [], ...pod?.containers ?? []].map(({ image }) =>
      image
    );
    assertEquals(images, [
      `registry.example/aws_signing_helper:${VERSION}`,
      "registry.example/application:1",
    ]);
    // The pod takes the merged settings and the secret, by their generated names.
    assertMatch(rendered, /AWS_SIGNING_HELPER_ROLE_ARN: arn:aws:iam::123456789012:role\/pods/);
    assertEquals(rendered.match(/role\/build-server/), null);
    assertMatch(rendered, /secretName: roles-anywhere-identity-\w+$/m);
    assert(secret);
  },
);

testWith(
  ["kustomize"],
  "the node agent takes its certificate from a CSI volume, or from a secret",
  async () => {
    for (const [set, kind] of [["node-agent", "csi"], ["node-agent-secret", "secret"]] as const) {
      const documents = await documentsOf(await must(KUSTOMIZE, ["build", `${MANIFESTS}/${set}`]));
      const agent = documents.find((document) => document.kind === "DaemonSet");
      const [volume] = agent?.spec?.template?.spec.volumes ?? [];
      assert(volume);
      assertEquals(Object.keys(volume).toSorted(), [kind, "name"].toSorted());
    }
  },
);
