# Steps of CI on Windows. Needs PowerShell 7, git, openssl, and Deno of packaging/toolchain/pin.json on PATH.
# Usage: pwsh -NoProfile -File windows.ps1 STEP [FOLDER]
#   systems  puts certificates into the stores of this user and of the machine, and removes them;
#            needs an administrator
#   verify   checks the sums of a downloaded release, and runs its program for Windows
param(
  [Parameter(Mandatory)]
  [ValidateSet('tools', 'build', 'unit', 'e2e', 'systems', 'prompt', 'selftest', 'bench', 'verify')]
  [string] $Step,
  [string] $Folder = 'build/dist'
)
$ErrorActionPreference = 'Stop'
Set-Location (Join-Path $PSScriptRoot '../..')
$env:NO_COLOR = '1'
$env:DENO_DIR = Join-Path $PWD 'build/deno'
$env:DENO_TLS_CA_STORE = 'system'
$env:DENO_NO_UPDATE_CHECK = '1'
$binary = Join-Path $PWD 'build/bin/aws_signing_helper.exe'
$env:AWS_SIGNING_HELPER_TEST_BINARY = $binary

# Git for Windows has openssl, outside PATH.
$gitTools = Join-Path $env:ProgramFiles 'Git/usr/bin'
if (-not (Get-Command openssl -ErrorAction SilentlyContinue)) {
  $env:PATH = "$env:PATH;$gitTools"
}

# Runs a program. Throws if it fails.
function Invoke-Program {
  param([string] $Program, [string[]] $Arguments)
  & $Program @Arguments
  if ($LASTEXITCODE -ne 0) {
    throw "$Program ended with $LASTEXITCODE"
  }
}

function Invoke-Deno {
  param([string[]] $Arguments)
  Invoke-Program 'deno' (@('run', '--quiet', '--cached-only', '-A') + $Arguments)
}

# Signs with an EC and an RSA key of openssl.
function Test-Program {
  param([string] $Program)
  $work = Join-Path ([System.IO.Path]::GetTempPath()) ([guid]::NewGuid())
  New-Item -ItemType Directory $work | Out-Null
  try {
    $key = Join-Path $work 'key.pem'
    $certificate = Join-Path $work 'certificate.pem'
    Invoke-Program $Program @('version')
    foreach ($option in @('EC ec_paramgen_curve:P-256', 'RSA rsa_keygen_bits:2048')) {
      $algorithm, $parameter = $option -split ' '
      Invoke-Program 'openssl' @('genpkey', '-algorithm', $algorithm, '-pkeyopt', $parameter, '-out', $key)
      Invoke-Program 'openssl' @('req', '-new', '-x509', '-key', $key, '-subj', "/CN=selftest $algorithm",
        '-days', '1', '-out', $certificate)
      Invoke-Program $Program @('selftest', '--certificate', $certificate, '--private-key', $key)
    }
  } finally {
    Remove-Item -Recurse -Force $work
  }
}

switch ($Step) {
  'tools' {
    Invoke-Program 'choco' @('install', 'softhsm', '--yes', '--no-progress')
  }
  'build' {
    Invoke-Program 'deno' @('install', '--quiet', '--frozen')
    Invoke-Deno @('packaging/build.ts', $binary)
  }
  { $_ -in 'unit', 'e2e' } {
    Invoke-Deno @('packaging/ci/tests.ts', $Step)
  }
  'systems' {
    $env:AWS_SIGNING_HELPER_TEST_SOFTHSM = 'C:\SoftHSM2\lib\softhsm2-x64.dll'
    $env:AWS_SIGNING_HELPER_TEST_STORES = '1'
    $env:PATH = "$env:PATH;C:\SoftHSM2\bin"
    Invoke-Deno @('packaging/ci/tests.ts', 'systems')
  }
  'prompt' {
    Invoke-Program 'pwsh' @('-NoProfile', '-File', (Join-Path $PSScriptRoot 'console_prompt.ps1'), $binary)
  }
  'selftest' {
    Test-Program $binary
  }
  'bench' {
    $runs = if ($env:RUNS) { $env:RUNS } else { '20' }
    Invoke-Deno @('tests/bench/startup.ts', $binary, $runs)
  }
  'verify' {
    $release = Resolve-Path $Folder
    foreach ($line in Get-Content (Join-Path $release 'SHA256SUMS')) {
      $sum, $name = $line -split '\s+\*?', 2
      $actual = (Get-FileHash -Algorithm SHA256 (Join-Path $release $name)).Hash
      if ($actual -ne $sum) {
        throw "${name}: its SHA-256 is not that of SHA256SUMS"
      }
    }
    Test-Program (Get-Item (Join-Path $release '*-windows-x64.exe')).FullName
  }
}
