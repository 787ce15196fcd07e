import { testWith } from "../support/needs.ts";
import { SessionScenario } from "../support/session_scenario.ts";
import {
  checkIdentity,
  checkNoMatch,
  issueUnique,
  PKCS12_PASSWORD,
  runTool,
  STORE_KEY_TYPES,
  writePkcs12,
} from "./stored_identity.ts";

/** Stores: PowerShell's name, and the flags of the program. */
const STORES = {
  user: { folder: "Cert:\\CurrentUser\\My", flags: [] },
  machine: {
    folder: "Cert:\\LocalMachine\\My",
    flags: ["--system-store-location", "machine"],
  },
} as const;

/** Providers of CryptoAPI, the second without SHA-2. */
const CRYPTOAPI_PROVIDERS = [
  "Microsoft Enhanced RSA and AES Cryptographic Provider",
  "Microsoft Strong Cryptographic Provider",
];

/** Runs PowerShell with values in variables, so that none is part of the script. */
async function powershell(script: string, env: Readonly<Record<string, string>>): Promise<string> {
  const args = ["-NoProfile", "-NonInteractive", "-Command"];
  return await runTool("pwsh", [...args, `$ErrorActionPreference = 'Stop'\n${script}`], env);
}

/** Imports a PKCS#12 file into a store; the certificate and its key are removed at the end. */
async function importInto(
  { folder }: (typeof STORES)[keyof typeof STORES],
  path: string,
  commonName: string,
): Promise<AsyncDisposable> {
  await powershell(
    `$password = ConvertTo-SecureString $env:PKCS12_PASSWORD -AsPlainText -Force
Import-PfxCertificate -FilePath $env:PKCS12 -CertStoreLocation $env:STORE -Password $password`,
    { PKCS12: path, PKCS12_PASSWORD, STORE: folder },
  );
  return removal(folder, commonName);
}

/** Returns a value that removes a certificate and its key from a store. */
function removal(folder: string, commonName: string): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => {
      await powershell(
        `Get-ChildItem $env:STORE | Where-Object Subject -eq "CN=$env:COMMON_NAME" |
  Remove-Item -DeleteKey`,
        { STORE: folder, COMMON_NAME: commonName },
      );
    },
  };
}

for (const [location, store] of Object.entries(STORES)) {
  for (const keyType of STORE_KEY_TYPES) {
    testWith(
      ["binary", "windows-store"],
      `cng: ${keyType} key in the real store of the ${location}: selftest, sign-string, credential-process`,
      async () => {
        await using scenario = await SessionScenario.create();
        const { commonName, files } = await issueUnique(scenario, keyType);
        await using _ = await importInto(store, await writePkcs12(files), commonName);
        const selector = ["--cert-selector", `Key=x509Subject,Value=CN=${commonName}`];
        await checkIdentity(scenario, { files, keyType, flags: [...selector, ...store.flags] });
        const subject = encodeURIComponent(`CN=${commonName}`);
        const uri = `cng:x509Subject=${subject};store-location=${location}`;
        await checkIdentity(scenario, { files, keyType, flags: ["--certificate", uri] });
      },
    );
  }
}

for (const provider of CRYPTOAPI_PROVIDERS) {
  testWith(
    ["binary", "windows-store"],
    `cng: RSA key in the real "${provider}" signs with SHA-2`,
    async () => {
      await using scenario = await SessionScenario.create();
      const { commonName, files } = await issueUnique(scenario, "rsa-2048");
      const path = await writePkcs12(files);
      const password = ["-p", PKCS12_PASSWORD];
      await runTool("certutil", ["-user", "-csp", provider, ...password, "-importPFX", "MY", path]);
      await using _ = removal(STORES.user.folder, commonName);
      const flags = ["--cert-selector", `Key=x509Subject,Value=CN=${commonName}`];
      await checkIdentity(scenario, { files, keyType: "rsa-2048", flags });
    },
  );
}

testWith(
  ["binary", "windows-store"],
  "cng: a selector without a match in the real store fails",
  async () => {
    await using scenario = await SessionScenario.create();
    await checkNoMatch(scenario, {});
  },
);
