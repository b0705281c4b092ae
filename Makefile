# portwhy: everything a fresh machine needs is `make run PORT=8080` and `make test`.
SHELL := /bin/bash
PORT ?= 8080
RELEASE := .build/release/portwhy

.PHONY: help run build test bench conformance kernels purity lint format clean setup static

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 16

run: $(RELEASE)  ## install what is missing, build, and ask about PORT (ARGS for more options)
	@$(RELEASE) $(ARGS) $(PORT) || { status=$$?; [ $$status -le 2 ] || exit $$status; }

build: $(RELEASE) ## the release binary

# The Swift runtime and libstdc++ go into the binary: it starts in half the time and needs only libc, libm, libmnl.
# No $$ORIGIN in the library path: a program that root runs must not take libmnl from the directory it lies in.
# No position-independent executable: 40,000 relocations touch 190 pages before main, a tenth of the time on an idle
# host. The program is memory-safe, local and lives for milliseconds; PIE=1 builds it with them.
# Concrete generic types are reached by symbol, not by mangled name: the runtime would search all conformances of the
# binary for each of them, which was half of all instructions of `portwhy 8080`.
STATIC := .build/static
STATIC_FLAGS := --static-swift-stdlib --disable-local-rpath -Xlinker -s -Xlinker -L$(CURDIR)/$(STATIC) \
  -Xswiftc -Xclang-linker -Xswiftc -static-libgcc $(if $(PIE),,-Xlinker -no-pie) \
  -Xswiftc -Xfrontend -Xswiftc -disable-concrete-type-metadata-mangled-name-accessors
SOURCES := Package.swift $(shell find Sources -type f)

$(RELEASE): $(SOURCES) | setup
	@mkdir -p $(STATIC) && ln -sf "$$(gcc -print-file-name=libstdc++.a)" $(STATIC)/
	swift build -c release --product portwhy $(STATIC_FLAGS)

test: setup      ## install what is missing, run every test
	swift build --build-tests
	swift test

SCENARIOS ?= 20000
SEED ?=

conformance: setup ## SCENARIOS random scenarios (SEED to repeat a run) against the running kernel, as root and as nobody; needs root
	swift build -c release --product conformance
	.build/release/conformance --scenarios $(SCENARIOS) $(if $(SEED),--seed $(SEED))

BENCH ?=

bench: $(RELEASE) ## time the release binary beside ss, lsof and fuser into BENCHMARKS.md (BENCH="--loads idle"); needs root, 10 minutes
	./scripts/setup lsof psmisc valgrind
	swift build -c release --product bench
	.build/release/bench --portwhy $(RELEASE) --write BENCHMARKS.md $(BENCH)

KERNELS ?= host 5.10 6.1 6.12 newest

kernels: setup   ## SCENARIOS (2000) scenarios and the end-to-end tests on Debian's kernels in virtual machines, into KERNELS.md; needs root
	swift build -c release --product conformance
	$(MAKE) build
	swift build --build-tests
	scripts/kernels --kernels "$(KERNELS)" --scenarios $(if $(filter file,$(origin SCENARIOS)),2000,$(SCENARIOS)) \
	  $(if $(SEED),--seed $(SEED)) --end-to-end --write KERNELS.md

purity:          # BindRules builds with nothing but SocketModel
	@directory=$$(mktemp -d /tmp/portwhy-purity.XXXXXX) && trap 'rm -r "$$directory"' EXIT && \
	swiftc -swift-version 6 -parse-as-library -emit-module -module-name SocketModel -o "$$directory/SocketModel.swiftmodule" \
	  Sources/SocketModel/*.swift && \
	swiftc -swift-version 6 -parse-as-library -typecheck -module-name BindRules -I "$$directory" Sources/BindRules/*.swift && \
	! grep -nE '^ *(public |private |internal )?import ' Sources/BindRules/*.swift Sources/SocketModel/*.swift \
	  | grep -vE 'BindRules/.*:(public )?import SocketModel$$' && echo "purity: BindRules needs SocketModel alone"

lint: setup      ## formatting and style; warnings are errors in every build
	swift format lint --strict -r Sources Tests Package.swift
	mandoc -T lint -W warning man/portwhy.1

format:          ## put the sources into the project's format
	swift format -i -r Sources Tests Package.swift

setup:           # quiet where nothing is missing
	@./scripts/setup

clean:           ## remove what was built
	swift package clean
	rm -rf .build
