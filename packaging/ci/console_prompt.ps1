# Types passphrases into a console of its own, at the prompt of the program, on Windows.
# Usage: pwsh -NoProfile -File console_prompt.ps1 PROGRAM
# Checks: the right passphrase signs, a wrong one does not, and none is visible on the screen.
param([Parameter(Mandatory)] [string] $Program)
$ErrorActionPreference = 'Stop'

Add-Type -TypeDefinition @'
using System;
using System.Runtime.InteropServices;
using System.Text;

public static class TestConsole {
  // INPUT_RECORD with a KEY_EVENT_RECORD.
  [StructLayout(LayoutKind.Explicit, Size = 20)]
  struct Key {
    [FieldOffset(0)] public ushort EventType;
    [FieldOffset(4)] public int IsDown;
    [FieldOffset(8)] public ushort Repeat;
    [FieldOffset(10)] public ushort VirtualKey;
    [FieldOffset(12)] public ushort ScanCode;
    [FieldOffset(14)] public ushort Character;
    [FieldOffset(16)] public uint Control;
  }

  [DllImport("kernel32.dll", SetLastError = true)] static extern bool FreeConsole();
  [DllImport("kernel32.dll", SetLastError = true)] static extern bool AllocConsole();
  [DllImport("kernel32.dll", SetLastError = true, CharSet = CharSet.Unicode)]
  static extern IntPtr CreateFileW(string name, uint access, uint share, IntPtr security, uint creation, uint flags, IntPtr template);
  [DllImport("kernel32.dll", SetLastError = true)]
  static extern bool WriteConsoleInputW(IntPtr input, Key[] keys, uint count, out uint written);
  [DllImport("kernel32.dll", SetLastError = true, CharSet = CharSet.Unicode)]
  static extern bool ReadConsoleOutputCharacterW(IntPtr output, [Out] char[] text, uint length, uint position, out uint read);

  static IntPtr Open(string name) {
    IntPtr handle = CreateFileW(name, 0xc0000000, 3, IntPtr.Zero, 3, 0, IntPtr.Zero);
    if (handle == new IntPtr(-1)) throw new InvalidOperationException(name + ": error " + Marshal.GetLastWin32Error());
    return handle;
  }

  public static void Create() {
    FreeConsole();
    if (!AllocConsole()) throw new InvalidOperationException("AllocConsole: error " + Marshal.GetLastWin32Error());
  }

  public static void Type(string text) {
    Key[] keys = new Key[2 * text.Length];
    for (int i = 0; i < keys.Length; i++) {
      char character = text[i / 2];
      keys[i] = new Key {
        EventType = 1, IsDown = i % 2 == 0 ? 1 : 0, Repeat = 1, Character = character,
        VirtualKey = (ushort)(character == '\r' ? 13 : 0)
      };
    }
    uint written;
    if (!WriteConsoleInputW(Open("CONIN$"), keys, (uint)keys.Length, out written) || written != keys.Length)
      throw new InvalidOperationException("WriteConsoleInputW: error " + Marshal.GetLastWin32Error());
  }

  public static string Screen() {
    char[] text = new char[20000];
    uint read;
    if (!ReadConsoleOutputCharacterW(Open("CONOUT$"), text, (uint)text.Length, 0, out read))
      throw new InvalidOperationException("ReadConsoleOutputCharacterW: error " + Marshal.GetLastWin32Error());
    return new string(text, 0, (int)read);
  }
}
'@

$work = Join-Path ([System.IO.Path]::GetTempPath()) ([guid]::NewGuid())
New-Item -ItemType Directory $work | Out-Null
try {
  $key = Join-Path $work 'key.pem'
  $passphrase = 'correct horse 1234'
  $arguments = @('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-aes-256-cbc',
    '-pass', "pass:$passphrase", '-out', $key)
  & openssl @arguments
  if ($LASTEXITCODE -ne 0) { throw "openssl ended with $LASTEXITCODE" }
  [TestConsole]::Create()
  foreach ($case in @(@{ Typed = $passphrase; Signs = $true }, @{ Typed = 'wrong staple 5678'; Signs = $false })) {
    [TestConsole]::Type($case.Typed + "`r")
    $start = [System.Diagnostics.ProcessStartInfo]::new($Program)
    foreach ($argument in @('sign-string', '--format', 'text', '--private-key', $key)) {
      $start.ArgumentList.Add($argument)
    }
    $start.UseShellExecute = $false
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $process = [System.Diagnostics.Process]::Start($start)
    $errors = $process.StandardError.ReadToEndAsync()
    $printed = $process.StandardOutput.ReadToEndAsync()
    if (-not $process.WaitForExit(60000)) {
      $process.Kill()
      throw 'the program did not end after the passphrase'
    }
    $screen = [TestConsole]::Screen()
    if (-not $screen.Contains('key.pem')) { throw "no prompt on the console: $screen" }
    if ($screen.Contains($case.Typed)) { throw 'the console shows the passphrase' }
    $signed = $process.ExitCode -eq 0 -and $printed.Result -match '^[0-9a-f]{40}'
    if ($signed -ne $case.Signs) { throw "ended with $($process.ExitCode): $($errors.Result)" }
    [Console]::Error.WriteLine("console prompt: passed, signs: $signed")
  }
} finally {
  Remove-Item -Recurse -Force $work
}
