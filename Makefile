# Builds and checks aws_signing_helper. `make help` lists the targets.
#
# Needs GNU make, a POSIX shell, and Node.js with npm; everything else is installed under build/.

SHELL := /bin/sh
.DELETE_ON_ERROR:
# Each build takes both of a small machine's processors, and writes to build/bundle.
.NOTPARALLEL:
.SUFFIXES:

# `make DENO_VERSION=…` takes another version from npm; no hash of a base binary is pinned for it.
DENO_VERSION := $(shell sed -n 's/^  "deno": "\(.*\)",$$/\1/p' packaging/toolchain/pin.json)
# Relative: make does not take blanks in the names of targets.
DENO := build/toolchain/deno
BINARY := build/bin/aws_signing_helper
# Programs that the tests run under wine: the program, and one with a double of the store in it.
WINDOWS_BINARIES := build/windows/aws_signing_helper.exe build/windows/store_program.exe
# Programs that they run under emulation: the program with a double of the keychain in it.
ARM64_BINARIES := build/arm64/store_program
# Programs that they read as files.
MACOS_BINARIES := build/darwin-x64/aws_signing_helper build/darwin-arm64/aws_signing_helper
SOURCES := $(shell find src plugins packaging -type f ! -name '*.md') deno.json deno.lock
DOUBLES := $(wildcard tests/plugins/*.ts tests/plugins/*/double.ts)

# Deno keeps its packages here, and trusts the system's certificate store as npm and curl do.
export DENO_DIR := $(CURDIR)/build/deno
export DENO_TLS_CA_STORE := system
export DENO_NO_UPDATE_CHECK := 1

PREFIX ?= /usr/local
DESTDIR ?=
FILE ?=
FILTER ?=
export PREFIX DESTDIR FILE FILTER

.PHONY: build
build: $(BINARY) ## build build/bin/aws_signing_helper (the default)
	@echo "$(BINARY) is built" >&2

.PHONY: all
all: build ## the same

.PHONY: release
release: build

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 16

# Written only when it is another, so that everything follows the version.
build/deno_version: always
	@mkdir -p build
	@echo "$(DENO_VERSION)" | cmp -s - $@ || echo "$(DENO_VERSION)" > $@

$(DENO): packaging/install_deno.sh build/lock.sum build/deno_version
	@sh packaging/install_deno.sh $(DENO_VERSION) build/toolchain >&2

# Sums of contents: files that are unpacked over an old checkout may be older than its build.
build/lock.sum build/sources.sum build/doubles.sum: always
	@mkdir -p build
	@cksum $(FILES) | cmp -s - $@ || cksum $(FILES) > $@

build/lock.sum: FILES := deno.json deno.lock packaging/toolchain/pin.json
build/sources.sum: FILES := $(SOURCES)
build/doubles.sum: FILES := $(DOUBLES)

build/packages.stamp: $(DENO) build/lock.sum
	@echo "packages: installing what deno.lock names from the npm registry" >&2
	@$(DENO) install --quiet --frozen || { \
	  echo "packages: the npm registry did not return what deno.lock names; check the network and run make again" >&2; exit 1; }
	@touch $@

$(BINARY): build/packages.stamp build/sources.sum
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@ >&2

build/windows/aws_signing_helper.exe: build/packages.stamp build/sources.sum
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@ --target x86_64-pc-windows-msvc >&2

build/windows/store_program.exe: build/packages.stamp build/sources.sum build/doubles.sum
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@ --target x86_64-pc-windows-msvc \
	  --entry tests/plugins/store_program.ts >&2

build/darwin-x64/aws_signing_helper: build/packages.stamp build/sources.sum
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@ --target x86_64-apple-darwin >&2

build/darwin-arm64/aws_signing_helper: build/packages.stamp build/sources.sum
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@ --target aarch64-apple-darwin >&2

build/arm64/store_program: build/packages.stamp build/sources.sum build/doubles.sum
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@ --target aarch64-unknown-linux-gnu \
	  --entry tests/plugins/store_program.ts >&2

# A stamp: a release is many files. RELEASE_URL names their place, for Homebrew and others.
build/dist.stamp: $(BINARY) build/sources.sum build/release_url
	@$(DENO) run --quiet --cached-only -A packaging/dist.ts $(BINARY)
	@touch $@

# Written only when it is another, so that a release follows its address.
build/release_url: always
	@mkdir -p build
	@echo "$$RELEASE_URL" | cmp -s - $@ || echo "$$RELEASE_URL" > $@

.PHONY: always
always:

build/image.stamp: build/dist.stamp
	@$(DENO) run --quiet --cached-only -A packaging/image.ts
	@touch $@

.PHONY: dist
dist: build/dist.stamp ## a release in build/dist: all binaries, sums, SBOM, licences, .deb

.PHONY: image
image: build/image.stamp ## container images in build/image, without a daemon

.PHONY: fmt
fmt: $(DENO) ## format all files
	@$(DENO) fmt --quiet

.PHONY: lint
lint: $(DENO) ## look for bad style and likely mistakes
	@$(DENO) lint --quiet

.PHONY: reference
reference: build/packages.stamp ## write the generated parts of commands.md and tests/README.md
	@$(DENO) run --quiet --cached-only -A packaging/reference.ts
	@$(DENO) run --quiet --cached-only -A packaging/readme.ts

.PHONY: check
check: build/packages.stamp unit-tools ## format, lint, types, imports, commands.md, unit tests
	@$(DENO) run --quiet --cached-only -A tests/run.ts check

# The tools come first: what is missing is seen before anything is built.
.PHONY: test
test: tools $(BINARY) $(WINDOWS_BINARIES) $(ARM64_BINARIES) $(MACOS_BINARIES) test-image ## everything `check` does, and the tests of the binary
	@$(DENO) run --quiet --cached-only -A tests/run.ts all

# Files that one test file needs besides the program.
TEST_ONE_FILES := $(if $(findstring windows,$(FILE)),$(WINDOWS_BINARIES)) \
  $(if $(findstring arm64,$(FILE)),$(ARM64_BINARIES)) $(if $(findstring macos,$(FILE)),$(MACOS_BINARIES)) \
  $(if $(findstring release,$(FILE)),test-image)

.PHONY: test-one
test-one: test-one-file tools $(BINARY) $(TEST_ONE_FILES) ## one test file: make test-one FILE=tests/… [FILTER=text]
	@$(DENO) run --quiet --cached-only -A tests/run.ts one "$$FILTER" "$$FILE"

# Before the tools: a missing FILE is seen before anything is installed.
.PHONY: test-one-file
test-one-file:
	@test -n "$$FILE" || { echo "test-one: no file; run make test-one FILE=tests/cli/parse_test.ts" >&2; exit 2; }

# Only root can make the images; the tests of them are skipped without.
.PHONY: test-image
ifeq ($(shell id -u),0)
test-image: build/image.stamp
else
test-image: build/dist.stamp
endif

# For a Deno whose base binary is not available: make test-runtime DENO_VERSION=…
.PHONY: test-runtime
test-runtime: build/packages.stamp tools ## the tests with the bundle under `deno run`: [DENO_VERSION=… FILE=…]
	@$(DENO) run --quiet --cached-only -A packaging/launcher.ts build/runtime
	@$(DENO) run --quiet --cached-only -A tests/run.ts runtime $(FILE)

.PHONY: tools
tools: $(DENO) ## install what the tests need: openssl, SoftHSM, Python and JavaScript clients
	@sh tests/install_tools.sh

.PHONY: unit-tools
unit-tools: $(DENO)
	@sh tests/install_tools.sh unit

.PHONY: demo
demo: $(BINARY) ## credentials from a fresh certificate and a local CreateSession emulator
	@$(DENO) run --quiet --cached-only -A tests/demo.ts $(BINARY) build/demo

.PHONY: demo-emulator
demo-emulator: $(BINARY) ## the emulator of the last demo until Ctrl-C, to run its command again
	@$(DENO) run --quiet --cached-only -A tests/demo.ts $(BINARY) build/demo --emulator

# Ends a part that hangs, with all that it started: timeout(1) signals its process group.
BENCH := timeout --kill-after=30 1200 $(DENO) run --quiet --cached-only -A

.PHONY: bench
bench: $(BINARY) tools ## start-up, memory, size and requests a second, compared with the minimum
	@$(DENO) run --quiet --cached-only -A packaging/launcher.ts build/runtime
	@failed=; for part in "run.ts $(BINARY)" "under_deno_run.ts build/runtime/aws_signing_helper" serve.ts refresh.ts stages.ts cells.ts; do \
	  $(BENCH) tests/bench/$$part || failed="$$failed $${part%% *} ($$?)"; \
	done; \
	test -z "$$failed" || { echo "bench: failed:$$failed; 124 and 137 are timeouts" >&2; exit 1; }

.PHONY: bench-runtime
bench-runtime: build/packages.stamp unit-tools ## start-up of the bundle under `deno run`: [DENO_VERSION=…]
	@$(DENO) run --quiet --cached-only -A packaging/launcher.ts build/runtime
	@$(BENCH) tests/bench/under_deno_run.ts build/runtime/aws_signing_helper

build/share.stamp: $(BINARY)
	@$(DENO) run --quiet --cached-only -A packaging/share.ts build/share
	@touch $@

.PHONY: install
install: $(BINARY) build/share.stamp ## program, man pages, completions below PREFIX=/usr/local, DESTDIR=
	@sh packaging/install.sh install "$$DESTDIR$$PREFIX"

.PHONY: uninstall
uninstall: ## remove what `make install` installed
	@sh packaging/install.sh uninstall "$$DESTDIR$$PREFIX"

.PHONY: fresh
fresh: $(DENO) ## make demo and make test on fresh machines, 20 minutes each: [NAME=container TARGET=check]
	@$(DENO) run --quiet --cached-only -A tests/fresh/run.ts $(NAME)

.PHONY: fuzz
fuzz: $(BINARY) tools ## mutated keys, URIs, files and requests, 100,000 of each; takes an hour
	@$(DENO) run --quiet --cached-only -A tests/fuzz/run.ts; fuzzers=$$?; \
	SWAP_RUNS=2000 $(DENO) test --quiet --cached-only -A --no-check tests/e2e/update_other_user_test.ts && exit $$fuzzers

.PHONY: soak
soak: $(BINARY) tools ## an hour of serve under load and faults, then 20 minutes of clients: [SECONDS=3600]
	@$(DENO) run --quiet --cached-only -A tests/soak/run.ts --seconds $(or $(SECONDS),3600); load=$$?; \
	$(DENO) run --quiet --cached-only -A tests/soak/freshness.ts && exit $$load

.PHONY: clean
clean: ## remove everything that was built or installed
	@rm -rf build
