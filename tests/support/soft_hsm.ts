import { openssl } from "./openssl.ts";
import { SOFTHSM } from "./pkcs11_modules.ts";
import { TemporaryDirectory } from "./temporary_directory.ts";

/** PIN of every test token. */
export const PIN = "123456";

/** Options of a stored object. */
export interface ObjectOptions {
  /** CKA_ID in hex; no CKA_ID if absent. */
  readonly id?: string;
  readonly label?: string;
  /** The key requires a PIN for each signature. */
  readonly alwaysAuthenticate?: boolean;
  /** The certificate is visible only after a login. */
  readonly isPrivate?: boolean;
}

/** A SoftHSM with its own tokens, in a directory that is removed with it. */
export class SoftHsm implements Disposable {
  readonly directory = new TemporaryDirectory();
  /** Environment in which a program finds these tokens. */
  readonly env: Readonly<Record<string, string>>;

  constructor() {
    const tokens = this.directory.join("tokens");
    Deno.mkdirSync(tokens);
    const configuration = `directories.tokendir = ${tokens}\nlog.level = ERROR\n`;
    this.env = { SOFTHSM2_CONF: this.directory.write("softhsm2.conf", configuration) };
  }

  /** Makes a token. */
  async token(label: string): Promise<SoftToken> {
    const printed = await this.run("softhsm2-util", [
      "--init-token",
      "--free",
      "--label",
      label,
      "--pin",
      PIN,
      "--so-pin",
      "87654321",
    ]);
    const slot = /reassigned to slot (\d+)/.exec(printed)?.[1];
    if (slot === undefined) throw new Error(`softhsm2-util: ${printed}`);
    return new SoftToken(this, label, slot);
  }

  /** Makes these tokens visible to this process, until the value is disposed of. */
  enter(): Disposable {
    const before = Deno.env.get("SOFTHSM2_CONF");
    Deno.env.set("SOFTHSM2_CONF", this.env["SOFTHSM2_CONF"] ?? "");
    return {
      [Symbol.dispose]() {
        if (before === undefined) Deno.env.delete("SOFTHSM2_CONF");
        else Deno.env.set("SOFTHSM2_CONF", before);
      },
    };
  }

  /** Runs a program on these tokens and returns its standard output. */
  async run(
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command(program, {
      args: [...args],
      env: { ...this.env, ...env },
      stdin: "null",
    }).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    if (!success) throw new Error(`${program}: ${decode(stderr)}${decode(stdout)}`);
    return decode(stdout);
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
  }
}

/** One token of a {@link SoftHsm}. */
export class SoftToken {
  constructor(
    private readonly hsm: SoftHsm,
    readonly label: string,
    readonly slot: string,
  ) {}

  /** Stores the private key of a PEM file. */
  async importKey(keyPath: string, options: ObjectOptions): Promise<void> {
    const der = await openssl(["pkcs8", "-topk8", "-nocrypt", "-in", keyPath, "-outform", "DER"]);
    await this.#write("privkey", der, ["--usage-sign", ...objectArguments(options)]);
  }

  /** Stores the private key of a PEM file so that it is visible and usable without a login. */
  async importOpenKey(keyPath: string, options: ObjectOptions): Promise<void> {
    await this.#p11tool("--no-mark-private", "--load-privkey", keyPath, options);
  }

  /** Stores the public key of a PEM file with its private key. */
  async importPublicKey(keyPath: string, options: ObjectOptions): Promise<void> {
    const der = await openssl(["pkey", "-in", keyPath, "-pubout", "-outform", "DER"]);
    await this.#write("pubkey", der, objectArguments(options));
  }

  /** Stores the certificate of a PEM file. */
  async importCertificate(certificatePath: string, options: ObjectOptions): Promise<void> {
    // pkcs11-tool cannot make a certificate private.
    if (options.isPrivate) {
      return await this.#p11tool(
        "--mark-private",
        "--load-certificate",
        certificatePath,
        options,
      );
    }
    const der = await openssl(["x509", "-in", certificatePath, "-outform", "DER"]);
    await this.#write("cert", der, objectArguments(options));
  }

  async #p11tool(
    mark: string,
    what: string,
    path: string,
    { id, label }: ObjectOptions,
  ): Promise<void> {
    // deno-fmt-ignore
    await this.hsm.run("p11tool", [
      "--provider", SOFTHSM, "--batch", "--login", mark, "--write", what, path,
      "--label", label ?? "", "--id", id ?? "", `pkcs11:token=${this.label}`,
    ], { GNUTLS_PIN: PIN });
  }

  /** Runs pkcs11-tool, logged in. */
  async tool(...args: string[]): Promise<string> {
    const login = ["--module", SOFTHSM, "--slot", this.slot, "--login", "--pin", PIN];
    return await this.hsm.run("pkcs11-tool", [...login, ...args]);
  }

  async #write(type: string, der: Uint8Array, args: readonly string[]): Promise<void> {
    const path = this.hsm.directory.write(`object-${crypto.randomUUID()}`, der);
    await this.tool("--write-object", path, "--type", type, ...args);
  }
}

function objectArguments({ id, label, alwaysAuthenticate }: ObjectOptions): string[] {
  return [
    ...(id === undefined ? [] : ["--id", id]),
    ...(label === undefined ? [] : ["--label", label]),
    ...(alwaysAuthenticate ? ["--always-auth"] : []),
  ];
}
