import type { SoftwareTpm } from "./software_tpm.ts";
import { tss2Pem, type Tss2PemRequest } from "./tss2_pem.ts";

/** A TPM key, and the flags to sign with it. */
export interface TpmKeyCase {
  readonly name: string;
  /** Value of `--private-key`. */
  readonly privateKey: string;
  /** PEM file of its public key, for openssl. */
  readonly publicKeyPath: string;
  readonly flags: readonly string[];
  /** Digests it signs; default: all. */
  readonly digests?: readonly string[];
}

/** Shell functions that make keys with tpm2-tools. */
const FUNCTIONS = String.raw`
PARENT='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'
SIGN='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
BOUND='fixedtpm|fixedparent|sensitivedataorigin|sign'
# primary NAME HIERARCHY ALGORITHM [ARGUMENT...]: the context of a primary key
primary() {
  n=$1 h=$2 g=$3; shift 3
  tpm2_createprimary -Q -C "$h" -G "$g" -g sha256 -a "$PARENT" -c "$n.ctx" "$@"; tpm2_flushcontext -t
}
# child NAME PARENT [ARGUMENT...]: NAME.pub, NAME.priv and, when it is a key, NAME.pem
child() {
  n=$1 p=$2; shift 2
  tpm2_create -Q -C "$p" -u "$n.pub" -r "$n.priv" "$@"; tpm2_flushcontext -t
  tpm2_print -t TPM2B_PUBLIC -f pem "$n.pub" >"$n.pem" 2>/dev/null || true
}
# persist NAME PARENT HANDLE [ARGUMENT...]
persist() {
  n=$1 p=$2 h=$3; shift 3
  tpm2_load -Q -C "$p" -u "$n.pub" -r "$n.priv" -c "$n.ctx" "$@"
  tpm2_evictcontrol -Q -C o -c "$n.ctx" "$h"; tpm2_flushcontext -t
}
# policy NAME HASH TOOL [ARGUMENT...], with a trial session; more tools after "--"
policy() {
  n=$1 g=$2; shift 2
  tpm2_startauthsession -Q -g "$g" -S "$n.session"
  while [ $# -gt 0 ]; do
    tool=$1 args=; shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do args="$args $1"; shift; done
    [ $# -eq 0 ] || shift
    tpm2_$tool -Q -S "$n.session" -L "$n.policy" $args
  done
  tpm2_flushcontext "$n.session"
}
`;

/** Maker of keys in one TPM, and writer of their files. */
export class TpmKeyMaker {
  constructor(readonly tpm: SoftwareTpm) {}

  /** Returns the absolute path of a file in the TPM's directory. */
  path(name: string): string {
    return this.tpm.directory.join(name);
  }

  /** Runs shell lines that can call {@link FUNCTIONS}. */
  async make(lines: string): Promise<string> {
    return await this.tpm.script(FUNCTIONS + lines);
  }

  read(name: string): Uint8Array {
    return Deno.readFileSync(this.path(name));
  }

  /** Writes `NAME.tss2` for `NAME.pub` and `NAME.priv`; returns its path. */
  tss2(
    name: string,
    request: Omit<Tss2PemRequest, "publicArea" | "privateArea">,
    file = `${name}.tss2`,
  ): string {
    const pem = tss2Pem({
      publicArea: this.read(`${name}.pub`),
      privateArea: this.read(`${name}.priv`),
      ...request,
    });
    return this.tpm.directory.write(file, pem);
  }

  /** Returns the test case of a key by handle. */
  handle(name: string, handle: string, flags: readonly string[], file = name): TpmKeyCase {
    const publicKeyPath = this.path(`${file}.pem`);
    return { name, privateKey: `handle:${handle}`, publicKeyPath, flags };
  }

  /** Returns the test case of a key in a file. */
  file(name: string, privateKey: string, flags: readonly string[], pem: string): TpmKeyCase {
    return { name, privateKey, publicKeyPath: this.path(pem), flags };
  }
}

/** Flags for a key without password. */
export const NO_PASSWORD: readonly string[] = ["--no-tpm-key-password"];
/** Flags for a key with the password `keypw`. */
export const PASSWORD: readonly string[] = ["--tpm-key-password", "keypw"];
/** Flags for the parent with a password. */
export const PARENT_PASSWORD: readonly string[] = ["--tpm-parent-password", "parentpw"];
/** TPM_RH_OWNER. */
export const OWNER = 0x40000001;

/** Makes persistent parents: 1 without a password, 2 with one, 3 RSA and with lockout. */
export async function makeParents(maker: TpmKeyMaker): Promise<void> {
  await maker.make(`
    primary p1 o ecc256:aes128cfb; tpm2_evictcontrol -Q -C o -c p1.ctx 0x81000001
    primary p2 o ecc256:aes128cfb -p parentpw; tpm2_evictcontrol -Q -C o -c p2.ctx 0x81000002
    tpm2_createprimary -Q -C o -G rsa2048 -c p3.ctx; tpm2_evictcontrol -Q -C o -c p3.ctx 0x81000003
    tpm2_flushcontext -t`);
}
