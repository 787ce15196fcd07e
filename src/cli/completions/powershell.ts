/**
 * Completions for PowerShell (5.1 and later).
 *
 * @module
 */
import { PROGRAM } from "../program.ts";
import { type FlagCompletion, listCommands, listFirstWords, listSecondWords } from "./words.ts";

/** Returns the script, for a PowerShell profile. */
export function formatPowershellCompletions(): string {
  const commands = listCommands();
  const table = commands.map(({ words, flags, positional }) =>
    `    ${quote(words.join(" "))} = @{ Flags = ${
      formatList(flags.map(({ flag }) => flag))
    }; Argument = ${formatList(positional)} }`
  );
  const flags = new Map(
    commands.toReversed().flatMap((command) => command.flags.map((f) => [f.flag, f])),
  );
  const descriptions = [...flags.values()].map(({ flag, description }) =>
    [flag, description] as const
  );
  // A flag with another meaning under a command has an entry with the command's name too.
  const variants = commands.flatMap(({ words, flags: own }) =>
    own.filter(({ flag, description }) => description !== flags.get(flag)?.description)
      .map(({ flag, description }) => [`${words.join(" ")} ${flag}`, description] as const)
  );
  const valued = [...flags.values()].filter(({ value }) => value !== "none");
  return `# PowerShell completion for ${PROGRAM}; load it with:
#   ${PROGRAM} completions powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName @('${PROGRAM}', '${PROGRAM}.exe') -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $first = ${formatHash(listFirstWords(commands))}
  $second = @{ ${
    listSecondWords(commands).map(([word, words]) => `${quote(word)} = ${formatList(words)}`).join(
      "; ",
    )
  } }
  $commands = @{
${table.join("\n")}
  }
  $descriptions = ${formatHash([...descriptions, ...variants])}
  $values = @{
${valued.map((flag) => `    ${quote(flag.flag)} = ${formatValue(flag)}`).join("\n")}
  }
  $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
    Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  $candidates = @()
  if ($words.Count -eq 0 -or ($words.Count -eq 1 -and $words[0] -eq 'help')) {
    $candidates = $first.Keys
  } elseif ($words.Count -eq 1 -and $second.ContainsKey($words[0])) {
    $candidates = $second[$words[0]]
  } else {
    $name = $words[0]
    if ($second.ContainsKey($name)) { $name = "$name $($words[1])" }
    if (-not $commands.ContainsKey($name)) { return }
    $last = $words[-1]
    if ($values.ContainsKey($last)) {
      # $null lets PowerShell complete a file name.
      $candidates = $values[$last]
      if ($null -eq $candidates) { return }
    } elseif ($wordToComplete -notlike '-*' -and $commands[$name].Argument.Count -gt 0) {
      $candidates = $commands[$name].Argument
    } else {
      $candidates = $commands[$name].Flags
    }
  }
  $candidates | Where-Object { $_ -like "$wordToComplete*" } | Sort-Object | ForEach-Object {
    $tip = $_
    if ($first.ContainsKey($_)) { $tip = $first[$_] }
    if ($descriptions.ContainsKey($_)) { $tip = $descriptions[$_] }
    if ($descriptions.ContainsKey("$name $_")) { $tip = $descriptions["$name $_"] }
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $tip)
  }
}
`;
}

/** Returns `$null` for files, which PowerShell completes itself, or the list of choices. */
function formatValue({ value, choices }: FlagCompletion): string {
  return value === "files" ? "$null" : formatList(choices);
}

function formatHash(entries: readonly (readonly [string, string])[]): string {
  const lines = entries.map(([key, value]) => `    ${quote(key)} = ${quote(value)}`);
  return `@{\n${lines.join("\n")}\n  }`;
}

function formatList(words: readonly string[]): string {
  return `@(${words.map(quote).join(", ")})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
