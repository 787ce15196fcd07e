import type {
  GivenSecret,
  KeystoreContext,
  SecretName,
  SettingName,
  SwitchName,
} from "../../src/keystore/types.ts";

/** Context without flags, variables, secrets and terminal. */
export const NO_CONTEXT: KeystoreContext = {
  secret: () => Promise.resolve(undefined),
  setting: () => undefined,
  isOn: () => false,
  environment: () => undefined,
  readInput: () => Promise.reject(new Error("no input")),
  prompt: () => Promise.resolve(undefined),
  info: () => {},
  debug: () => {},
  now: () => new Date(),
  monotonic: () => 0,
  sleep: () => Promise.resolve(),
  holdSignals: () => ({ signal: new AbortController().signal, [Symbol.dispose]() {} }),
};

/** Input of a {@link ScriptedContext}. */
export interface Script {
  readonly secrets?: Readonly<Partial<Record<SecretName, string | undefined>>>;
  /** Source and origin of each secret; default: its flag. */
  readonly sources?: Readonly<Partial<Record<SecretName, Omit<GivenSecret, "text">>>>;
  /** Settings of flags. */
  readonly settings?: Readonly<Partial<Record<SettingName, string | undefined>>>;
  /** Settings of another program's variables, or defaults. */
  readonly defaults?: Readonly<Partial<Record<SettingName, string>>>;
  readonly switches?: readonly SwitchName[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Answers to the prompts, in order; after the last one there is no terminal. */
  readonly answers?: readonly string[] | undefined;
}

/** Context that answers from a script, and records requests, prompts and messages. */
export interface ScriptedContext extends KeystoreContext {
  /** Names of the secrets that were read. */
  readonly secretNames: readonly SecretName[];
  readonly questions: readonly string[];
  readonly messages: readonly string[];
  readonly debugMessages: readonly string[];
}

/** Creates a {@link ScriptedContext}. */
export function scriptedContext(script: Script = {}): ScriptedContext {
  const secretNames: SecretName[] = [];
  const [questions, messages, debugMessages]: [string[], string[], string[]] = [[], [], []];
  return {
    ...NO_CONTEXT,
    secretNames,
    questions,
    messages,
    debugMessages,
    secret: (name) => {
      secretNames.push(name);
      const text = script.secrets?.[name];
      const source = script.sources?.[name] ?? { source: `--${name}` };
      return Promise.resolve(text === undefined ? undefined : { text, ...source });
    },
    setting: (name, only) =>
      script.settings?.[name] ?? (only ? undefined : script.defaults?.[name]),
    isOn: (name) => script.switches?.includes(name) === true,
    environment: (name) => script.environment?.[name],
    prompt: (question) => {
      questions.push(question);
      return Promise.resolve(script.answers?.[questions.length - 1]);
    },
    info: (message) => void messages.push(message),
    debug: (message) => void debugMessages.push(message),
  };
}
