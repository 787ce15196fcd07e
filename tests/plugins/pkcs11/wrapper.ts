import { LAYOUTS } from "../../../plugins/pkcs11/cryptoki/layout.ts";
import { compileModule } from "../../support/pkcs11_modules.ts";
import type { SoftHsm } from "../../support/soft_hsm.ts";
import type { Variant } from "./variants.ts";

const wrapper = await compileModule("wrapper");

/** The test module around SoftHSM, in the layouts of Linux and Windows. */
export const WRAPPERS: readonly Variant[] = [
  { name: "Linux' layout", module: wrapper, layout: LAYOUTS.natural },
  {
    name: "Windows' layout",
    module: await compileModule("packedWrapper"),
    layout: LAYOUTS.windows,
  },
];

/** Variables of wrapper.c, without `WRAPPER_`. */
export type WrapperSettings = Readonly<Record<string, string>>;

/** Run of the test module in this process, with a log of its calls. */
export interface Wrapped extends Disposable {
  /** Changes the module's variables. */
  set(settings: WrapperSettings): void;
  /** Returns the calls so far, one line each, as wrapper.c writes them. */
  calls(): string[];
  /** Returns the number of calls of a function. */
  count(name: string): number;
}

/** Sets the test module's variables until the value is disposed of. */
export function wrap(hsm: SoftHsm, settings: WrapperSettings = {}): Wrapped {
  const log = hsm.directory.join(`calls-${crypto.randomUUID()}`);
  const names = new Set<string>();
  const set = (name: string, value: string) => {
    names.add(name);
    Deno.env.set(name, value);
  };
  const all = (more: WrapperSettings) => {
    for (const [name, value] of Object.entries(more)) set(`WRAPPER_${name}`, value);
  };
  set("SOFTHSM2_CONF", hsm.env["SOFTHSM2_CONF"] ?? "");
  set("WRAPPER_LOG", log);
  all(settings);
  const calls = () => {
    try {
      return Deno.readTextFileSync(log).split("\n").slice(0, -1);
    } catch {
      return []; // nothing was called
    }
  };
  return {
    set: all,
    calls,
    count: (name) => calls().filter((line) => line.split(" ")[0] === name).length,
    [Symbol.dispose]() {
      for (const name of names) Deno.env.delete(name);
    },
  };
}
