# Builds and checks aws_signing_helper. `make help` lists the targets.
#
# Needs GNU make, a POSIX shell, and Node.js with npm; everything else is installed under build/.

SHELL := /bin/sh
.DELETE_ON_ERROR:
# Each build takes both of a small machine's processors, and writes to build/bundle.
.NOTPARALLEL:
.SUFFIXES:

DENO_VERSION := 2.7.11
DENO := $(CURDIR)/build/toolchain/deno
BINARY := build/bin/aws_signing_helper
# What the tests run under wine: the program, and one with a double of the store in it.
WINDOWS_BINARIES := build/windows/aws_signing_helper.exe build/windows/store_program.exe
# What they run under emulation: the program with a double of the keychain in it.
ARM64_BINARIES := build/arm64/store_program
# What they look at as files.
MACOS_BINARIES := build/darwin-x64/aws_signing_helper build/darwin-arm64/aws_signing_helper
SOURCES := $(shell find src plugins packaging -type f) deno.json deno.lock

# Deno keeps its packages here, and trusts the system's certificate store as npm and curl do.
export DENO_DIR := $(CURDIR)/build/deno
export DENO_TLS_CA_STORE := system
export DENO_NO_UPDATE_CHECK := 1

.PHONY: release
release: $(BINARY) ## build build/bin/aws_signing_helper (the default)

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 12

$(DENO): packaging/install_deno.sh packaging/toolchain/package-lock.json
	@sh packaging/install_deno.sh $(DENO_VERSION) build/toolchain

build/packages.stamp: $(DENO) deno.json deno.lock
	@$(DENO) install --quiet --frozen || { \
	  echo "packages: the npm registry did not give what deno.lock names; check the network and run make again" >&2; exit 1; }
	@touch $@

$(BINARY): build/packages.stamp $(SOURCES)
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@

build/windows/aws_signing_helper.exe: build/packages.stamp $(SOURCES)
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@ --target x86_64-pc-windows-msvc

build/windows/store_program.exe: build/packages.stamp $(SOURCES) $(wildcard tests/plugins/*.ts tests/plugins/*/double.ts)
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@ --target x86_64-pc-windows-msvc \
	  --entry tests/plugins/store_program.ts

build/darwin-x64/aws_signing_helper: build/packages.stamp $(SOURCES)
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@ --target x86_64-apple-darwin

build/darwin-arm64/aws_signing_helper: build/packages.stamp $(SOURCES)
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@ --target aarch64-apple-darwin

build/arm64/store_program: build/packages.stamp $(SOURCES) $(wildcard tests/plugins/*.ts tests/plugins/*/double.ts)
	@$(DENO) run --quiet --cached-only -A packaging/build.ts $@ --target aarch64-unknown-linux-gnu \
	  --entry tests/plugins/store_program.ts

# A stamp: a release is many files. RELEASE_URL says where they will stand, for Homebrew and others.
build/dist.stamp: $(BINARY) $(SOURCES) build/release_url
	@$(DENO) run --quiet --cached-only -A packaging/dist.ts $(CURDIR)/$(BINARY)
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
reference: build/packages.stamp ## write the generated parts of commands.md
	@$(DENO) run --quiet --cached-only -A packaging/reference.ts

.PHONY: check
check: build/packages.stamp ## format, lint, types, imports, commands.md, unit tests
	@$(DENO) run --quiet --cached-only -A tests/run.ts check

.PHONY: test
test: $(BINARY) $(WINDOWS_BINARIES) $(ARM64_BINARIES) $(MACOS_BINARIES) tools build/image.stamp ## everything `check` does, and the tests of the binary
	@$(DENO) run --quiet --cached-only -A tests/run.ts all

.PHONY: tools
tools: $(DENO) ## install what the tests need: openssl, SoftHSM, Python and JavaScript clients
	@sh tests/install_tools.sh

.PHONY: demo
demo: $(BINARY) ## credentials from a fresh certificate and a local CreateSession emulator
	@$(DENO) run --quiet --cached-only -A tests/demo.ts $(BINARY)

.PHONY: bench
bench: $(BINARY) tools ## start-up, memory, size and requests a second, beside the least there can be
	@$(DENO) run --quiet --cached-only -A tests/bench/run.ts $(BINARY); start=$$?; \
	$(DENO) run --quiet --cached-only -A tests/bench/serve.ts && exit $$start

.PHONY: clean
clean: ## remove everything that was built or installed
	@rm -rf build
