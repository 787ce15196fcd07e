/**
 * The policies that TSS2 key files list, and satisfying those that need nobody else (TPM 2.0
 * Library, Part 3 section "Enhanced Authorization (EA) Commands").
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
import { sized, WireError, WireReader } from "../structures/wire.ts";

/** One command of a policy, as a file lists it. */
export interface PolicyCommand {
  /** TPM_CC. */
  readonly code: number;
  /** Its parameters, in their wire form. */
  readonly parameters: Uint8Array;
}

/** A policy command that can be run here. */
export interface PolicyStep {
  readonly name: string;
  /** The key's password is checked when the key is used. */
  readonly needsPassword: boolean;
  run(connection: Connection, session: number): Promise<void>;
}

/** Thrown for a policy that cannot be satisfied here; the message is a sentence's tail. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
}

type StepMaker = (parameters: WireReader) => Omit<PolicyStep, "name">;

/** The key's password, never in the clear: both commands leave the same policy behind. */
const authValue: StepMaker = () => ({
  needsPassword: true,
  run: policyAuthValue,
});

const STEPS: Readonly<Record<number, readonly [name: string, StepMaker]>> = {
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
    const { digest, selection } = pcrParameters(parameters);
    return {
      needsPassword: false,
      run: (connection, session) => policyPcr(connection, session, digest, selection),
    };
  }],
  0x18c: ["PolicyPassword", authValue],
};

/** Policy commands that need another party or a state that is not known here, by code. */
const REFUSED: Readonly<Record<number, string>> = {
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
 * The steps of a policy, in their order. Throws {@link PolicyError} for a command that cannot be run
 * here, and {@link WireError} for malformed parameters.
 */
export function policySteps(commands: readonly PolicyCommand[]): PolicyStep[] {
  return commands.map(({ code, parameters }) => {
    const step = STEPS[code];
    if (!step) {
      const name = REFUSED[code] ?? `the unknown command 0x${code.toString(16)}`;
      const known = Object.values(STEPS).map(([known]) => known).join(", ");
      throw new PolicyError(
        `the key's policy asks for ${name}, which cannot be satisfied here (what can: ${known}); ` +
          "make a key with another policy",
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
 * TPM2_PolicyPCR's parameters in the two forms that files have: as the command has them
 * (TPM2B_DIGEST, TPML_PCR_SELECTION), or as the policy digest is computed (the selection, and the
 * bare digest behind it).
 */
function pcrParameters(parameters: WireReader): { digest: Uint8Array; selection: Uint8Array } {
  const all = parameters.take(parameters.rest.length);
  try {
    const reader = new WireReader(all);
    const digest = sized(reader.sized());
    const selection = reader.rest;
    takeSelection(reader);
    reader.end();
    return { digest, selection };
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
  }
  const reader = new WireReader(all);
  takeSelection(reader);
  const digest = reader.rest;
  return { digest: sized(digest), selection: all.subarray(0, all.length - digest.length) };
}

const MAX_BANKS = 16;

function takeSelection(reader: WireReader): void {
  const banks = reader.u32();
  if (banks > MAX_BANKS) throw new WireError("a PCR selection with too many banks");
  for (let i = 0; i < banks; i++) {
    reader.u16();
    reader.take(reader.u8());
  }
}
