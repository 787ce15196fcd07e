/**
 * Runs the policies that TSS2 key files list, except those that need another party. Source: TPM 2.0
 * Library, Part 3 section "Enhanced Authorization (EA) Commands".
 *
 * @module
 */
import type { Connection } from "../tss/connection.ts";
import {
  policyAuthValue,
  policyCommandCode,
  policyLocality,
  policyPcr,
} from "../commands/sessions.ts";
import { tpm2b, WireError, WireReader } from "../structures/wire.ts";

/** One policy command of a file. */
export interface PolicyCommand {
  /** TPM_CC. */
  readonly code: number;
  /** The parameters, marshalled. */
  readonly parameters: Uint8Array;
}

/** A supported policy command. */
export interface PolicyStep {
  readonly name: string;
  /** True if the TPM checks the key's password when the key is used. */
  readonly needsPassword: boolean;
  run(connection: Connection, session: number): Promise<void>;
}

/** Thrown for an unsupported policy. The message follows the key's name and a colon. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
}

type StepFactory = (parameters: WireReader) => Omit<PolicyStep, "name">;

/** PolicyAuthValue also for PolicyPassword: same policy digest, but no password in the clear. */
const authValue: StepFactory = () => ({
  needsPassword: true,
  run: policyAuthValue,
});

const STEPS: Readonly<Record<number, readonly [name: string, StepFactory]>> = {
  0x16b: ["PolicyAuthValue", authValue],
  0x16c: ["PolicyCommandCode", (parameters) => {
    const command = parameters.u32();
    return {
      needsPassword: false,
      run: (connection, session) => policyCommandCode(connection, session, command),
    };
  }],
  0x16f: ["PolicyLocality", (parameters) => {
    const locality = parameters.u8();
    return {
      needsPassword: false,
      run: (connection, session) => policyLocality(connection, session, locality),
    };
  }],
  0x17f: ["PolicyPCR", (parameters) => {
    const { digest, selection } = readPcrParameters(parameters);
    return {
      needsPassword: false,
      run: (connection, session) => policyPcr(connection, session, digest, selection),
    };
  }],
  0x18c: ["PolicyPassword", authValue],
};

/** Names of policy commands that need another party or an unknown state, by TPM_CC. */
const UNSUPPORTED_COMMANDS: Readonly<Record<number, string>> = {
  0x149: "PolicyNV",
  0x151: "PolicySecret",
  0x160: "PolicySigned",
  0x163: "PolicyCpHash",
  0x16a: "PolicyAuthorize",
  0x16d: "PolicyCounterTimer",
  0x16e: "PolicyCpHash",
  0x170: "PolicyNameHash",
  0x171: "PolicyOR",
  0x172: "PolicyTicket",
  0x187: "PolicyPhysicalPresence",
  0x188: "PolicyDuplicationSelect",
  0x18f: "PolicyNvWritten",
  0x190: "PolicyTemplate",
  0x192: "PolicyAuthorizeNV",
  0x19b: "PolicyCapability",
  0x19c: "PolicyParameters",
};

/**
 * Returns the steps of a policy, in order. Throws {@link PolicyError} for an unsupported command,
 * and {@link WireError} for malformed parameters.
 */
export function parsePolicySteps(commands: readonly PolicyCommand[]): PolicyStep[] {
  return commands.map(({ code, parameters }) => {
    const step = STEPS[code];
    if (!step) {
      const name = UNSUPPORTED_COMMANDS[code] ?? `the unknown command 0x${code.toString(16)}`;
      const known = Object.values(STEPS).map(([known]) => known).join(", ");
      throw new PolicyError(
        `the key's policy requires ${name}, which is not supported (supported: ${known}); make a ` +
          "key with another policy",
      );
    }
    const [name, make] = step;
    const reader = new WireReader(parameters);
    const made = make(reader);
    reader.end();
    return { name, ...made };
  });
}

/**
 * Reads the parameters of TPM2_PolicyPCR in either form that files use. The command's form is
 * TPM2B_DIGEST, TPML_PCR_SELECTION. The policy digest's form is the selection, then the digest
 * without a length.
 */
function readPcrParameters(parameters: WireReader): { digest: Uint8Array; selection: Uint8Array } {
  const all = parameters.take(parameters.rest.length);
  try {
    const reader = new WireReader(all);
    const digest = tpm2b(reader.tpm2b());
    const selection = reader.rest;
    skipSelection(reader);
    reader.end();
    return { digest, selection };
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
  }
  const reader = new WireReader(all);
  skipSelection(reader);
  const digest = reader.rest;
  return { digest: tpm2b(digest), selection: all.subarray(0, all.length - digest.length) };
}

const MAX_BANKS = 16;

function skipSelection(reader: WireReader): void {
  const banks = reader.u32();
  if (banks > MAX_BANKS) throw new WireError("a PCR selection with too many banks");
  for (let i = 0; i < banks; i++) {
    reader.u16();
    reader.take(reader.u8());
  }
}
