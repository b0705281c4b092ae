# portwhy: everything a fresh machine needs is `make run PORT=8080` and `make test`.
SHELL := /bin/bash
PORT ?= 8080
RELEASE := .build/release/portwhy

.PHONY: collection check-collection check-systemd fleet help run build install install-files uninstall deb rpm dist check-sbom check-release docs example stranger-trial screenshot test field bench \
  churn sanitize conformance mutants kernels kernels-short fuzz fuzz-coverage generate purity lint format clean setup

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 16

run: $(RELEASE)  ## install what is missing, build, and ask about PORT (ARGS for more options)
	@$(RELEASE) $(ARGS) $(PORT) || { status=$$?; [ $$status -le 2 ] || exit $$status; }

build: $(RELEASE) ## the release binary

# The Swift runtime and libstdc++ go into the binary: it starts in half the time and needs only libc, libm, libmnl.
# No $$ORIGIN in the library path: a program that root runs must not take libmnl from the directory it lies in.
# A position-independent executable whose relocated tables are read-only before main: root runs it on other people's data.
# Nobody looks its symbols up: without them the linker drops more, and the runtime's one dladdr(3) has less to search.
# Concrete generic types are reached by symbol, not by mangled name: the runtime would search all conformances of the
# binary for each of them, which was half of all instructions of `portwhy 8080`.
# Size before speed (3 % more instructions); one copy of equal functions; no tables for unwinding, as nothing unwinds.
# No source may reach the regex engine, which `contains` with a string of several characters does: 1.3 MB.
STATIC := .build/static
STATIC_FLAGS := --static-swift-stdlib --disable-local-rpath -Xlinker -s -Xlinker -L$(CURDIR)/$(STATIC) \
  -Xswiftc -Xclang-linker -Xswiftc -static-libgcc -Xlinker --no-export-dynamic \
  -Xswiftc -Osize -Xswiftc -use-ld=lld -Xlinker --icf=all \
  -Xlinker --no-eh-frame-hdr -Xlinker -T -Xlinker $(CURDIR)/scripts/no-unwinding.ld \
  -Xlinker -z -Xlinker relro -Xlinker -z -Xlinker now \
  -Xswiftc -Xfrontend -Xswiftc -disable-concrete-type-metadata-mangled-name-accessors \
  -Xswiftc -Xfrontend -Xswiftc -disable-implicit-string-processing-module-import
SOURCES := Package.swift $(shell find Sources -type f)

$(RELEASE): $(SOURCES) | setup
	@mkdir -p $(STATIC) && ln -sf "$$(gcc -print-file-name=libstdc++.a)" $(STATIC)/
	swift build -c release --product portwhy $(STATIC_FLAGS)
	@# A build that finds nothing to do leaves the old time.
	@touch $@

# Where Debian's shells and man look, for /usr and for /usr/local.
PREFIX ?= /usr/local
DESTDIR ?=
BINARY ?= $(RELEASE)
ZSH_FUNCTIONS := $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
INSTALLED := $(PREFIX)/bin/portwhy $(PREFIX)/share/man/man1/portwhy.1 \
  $(PREFIX)/share/bash-completion/completions/portwhy $(ZSH_FUNCTIONS)/_portwhy \
  $(PREFIX)/share/fish/vendor_completions.d/portwhy.fish $(PREFIX)/share/doc/portwhy/portwhy.report-1.schema.json \
  $(PREFIX)/share/doc/portwhy/portwhy.fold-1.schema.json $(PREFIX)/lib/systemd/system/portwhy@.service

install:         ## binary, manual page and completions to PREFIX (/usr/local), below DESTDIR for packagers; after make build
	@# Nothing is built here: `sudo make install` would run the compiler and its plug-ins as root.
	@[ -x "$(BINARY)" ] || { echo 'install: there is no $(BINARY); run `make build` first' >&2; exit 1; }
	@[ "$(BINARY)" != $(RELEASE) ] || [ -z "$$(find $(SOURCES) -newer $(RELEASE) -print -quit)" ] || \
	  { echo 'install: $(BINARY) is older than its sources; run `make build` first' >&2; exit 1; }
	@$(MAKE) --no-print-directory install-files

install-files:   # the same with the BINARY that is there
	install -D -m 755 "$(BINARY)" "$(DESTDIR)$(PREFIX)/bin/portwhy"
	install -D -m 644 man/portwhy.1 "$(DESTDIR)$(PREFIX)/share/man/man1/portwhy.1"
	install -D -m 644 completions/portwhy.bash "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/portwhy"
	install -D -m 644 completions/_portwhy "$(DESTDIR)$(ZSH_FUNCTIONS)/_portwhy"
	install -D -m 644 completions/portwhy.fish "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/portwhy.fish"
	install -D -m 644 schema/portwhy.report-1.schema.json schema/portwhy.fold-1.schema.json \
	  -t "$(DESTDIR)$(PREFIX)/share/doc/portwhy/"
	install -D -m 644 packaging/systemd/portwhy@.service -t "$(DESTDIR)$(PREFIX)/lib/systemd/system/"

uninstall:       ## remove what install put there, with the same PREFIX and DESTDIR
	rm -f $(foreach file,$(INSTALLED),"$(DESTDIR)$(file)")
	-rmdir --ignore-fail-on-non-empty "$(DESTDIR)$(PREFIX)/share/doc/portwhy"

deb: $(RELEASE)  ## a Debian package, checked by lintian, in dist/
	@scripts/setup debhelper dpkg-dev fakeroot lintian
	@scripts/deb $(RELEASE)

rpm: $(RELEASE)  ## a package for Fedora and RHEL 10, checked by rpmlint, in dist/
	@scripts/setup rpm rpmlint
	@scripts/rpm $(RELEASE)

dist: $(RELEASE) ## a release tarball with its SHA-256 and its SBOM (SPDX 2.3) in dist/
	@scripts/setup binutils python3
	@scripts/dist $(RELEASE)

check-sbom: dist # the SBOM, by the validator of the SPDX project
	@scripts/setup python3-venv
	@scripts/check-sbom dist/portwhy-$$(scripts/version)-linux-$$(uname -m).spdx.json

check-release: $(RELEASE) # what the binary, install, uninstall and dist promise
	@scripts/setup binutils python3
	@scripts/check-release $(RELEASE)

# The manual page's checker and the tools of its examples, the shells of the completions, namespaces and small servers.
TEST_PACKAGES := mandoc jq bash-completion zsh fish iproute2 perl-base procps util-linux nginx-light

test:            ## install what is missing, run every test
	@scripts/setup $(TEST_PACKAGES)
	@scripts/test

# The situations of Tests/Field with their real servers; FIELD=short is what needs python, nginx and ssh alone, as CI
# does, FIELD="workers nginx-reload" the cases of these names.
FIELD ?=
FIELD_SHORT := $(if $(filter short,$(FIELD)),--short)

field: $(RELEASE) ## situations from public reports, made with the real servers in namespaces: FIELD=short, or names of cases; needs root
	@scripts/setup python3 iproute2 procps util-linux
	@scripts/setup $$(Tests/Field/run --list-packages $(FIELD_SHORT))
	@Tests/Field/run $(FIELD_SHORT) $(RELEASE) $(filter-out short,$(FIELD))

RUNS ?= 1000
HOLDERS ?= 20000
STRIDE ?= 7

churn: $(RELEASE) ## RUNS (1000) answers of the release binary and of the library beside servers that come and go; needs root
	@scripts/setup $(TEST_PACKAGES)
	swift build --build-tests
	PORTWHY_BINARY=$(CURDIR)/$(RELEASE) PORTWHY_CHURN_RUNS=$(RUNS) PORTWHY_HOLDERS=$(HOLDERS) PORTWHY_STRIDE=$(STRIDE) \
	  swift test --skip-build --no-parallel --filter 'ChurnTests|CrowdTests|CrowdedPortTests|InterruptedLookTests'

SANITIZERS ?= address thread

sanitize:        ## the tests under the address and the thread sanitizer (scripts/sanitize says without which); needs root, 30 minutes
	@scripts/setup $(TEST_PACKAGES)
	@scripts/sanitize $(SANITIZERS)

SCENARIOS ?= 20000
SEED ?=

conformance: setup ## SCENARIOS random scenarios (SEED to repeat a run) against the running kernel, as root and as nobody; needs root
	swift build -c release --product conformance
	.build/release/conformance --scenarios $(SCENARIOS) $(if $(SEED),--seed $(SEED))

docs:            ## the library's documentation, by the toolchain's docc, in .build/docs
	@scripts/setup
	@scripts/docs

example:         ## build and try the SwiftNIO server in Examples/, which says why it cannot bind
	@scripts/setup perl-base
	@scripts/example

BENCH ?=

bench: $(RELEASE) ## time the release binary beside ss, lsof and fuser into BENCHMARKS.md (BENCH="--loads idle" prints that part); needs root, 12 minutes
	@scripts/setup lsof psmisc valgrind
	swift build -c release --product bench
	.build/release/bench --portwhy $(RELEASE) --write BENCHMARKS.md --chart docs/bench.svg $(BENCH)

KERNELS ?= host 5.10 6.1 6.12 newest

kernels: setup   ## SCENARIOS (2000) scenarios and the end-to-end tests on Debian's kernels in virtual machines, into KERNELS.md; needs root
	swift build -c release --product conformance
	$(MAKE) build
	swift build --build-tests
	scripts/kernels --kernels "$(KERNELS)" --scenarios $(if $(filter file,$(origin SCENARIOS)),2000,$(SCENARIOS)) \
	  $(if $(SEED),--seed $(SEED)) --end-to-end --write KERNELS.md

kernels-short: setup # 200 scenarios on two of them, as CI does
	swift build -c release --product conformance
	scripts/kernels --kernels "6.1 6.12" --scenarios $(if $(filter file,$(origin SCENARIOS)),200,$(SCENARIOS)) \
	  $(if $(SEED),--seed $(SEED)) --where-available

TARGET ?= BindRules
N ?= 200

mutants: setup   ## break TARGET (BindRules) in N (200) small ways, SEED to repeat a run, and print which its tests do not notice; needs root
	@scripts/setup $(TEST_PACKAGES) python3
	Tools/mutants/mutants.py $(TARGET) --number $(N) $(if $(SEED),--seed $(SEED))

SECONDS ?= 60
FUZZ ?=

fuzz: setup      ## SECONDS (60) of fuzzing for each parser target, or for those named: FUZZ="netlink btf"
	scripts/fuzz run $(SECONDS) $(FUZZ)

fuzz-coverage: setup ## how many lines of each parser the kept corpus of the fuzzers reaches; fails below 95 %
	scripts/fuzz coverage

# ansible-core in a directory of its own, nothing of it installed: ANSIBLE_CORE=2.14 for Debian 12's.
ANSIBLE_CORE ?= 2.19
ANSIBLE := .build/ansible-$(ANSIBLE_CORE)/bin
HOSTS ?= 50
FORKS ?= 10

$(ANSIBLE)/ansible-playbook:
	@scripts/setup python3-venv
	python3 -m venv $(dir $(ANSIBLE))
	$(ANSIBLE)/pip --quiet install 'ansible-core==$(ANSIBLE_CORE).*' 'pytest<8'

collection: $(ANSIBLE)/ansible-playbook ## the Ansible collection as a tarball in dist/
	@mkdir -p dist
	$(ANSIBLE)/ansible-galaxy collection build --force --output-path dist ansible

check-collection: $(ANSIBLE)/ansible-playbook ## ansible-test sanity and the unit tests of the collection
	@scripts/check-collection $(ANSIBLE)

fleet: $(RELEASE) collection ## a play over HOSTS (50) namespaces as hosts with a real sshd each, every answer held against a real bind; needs root
	@scripts/setup openssh-server openssh-client util-linux
	@rm -rf .build/fleet/collections
	@$(ANSIBLE)/ansible-galaxy collection install --force -p .build/fleet/collections dist/portwhy-portwhy-*.tar.gz >/dev/null
	@python3 ansible/tests/fleet/run --portwhy $(RELEASE) --ansible $(ANSIBLE) --hosts $(HOSTS) --forks $(FORKS)

check-systemd: $(RELEASE) ## the units of docs/fleet.md and portwhy@.service in a systemd of their own, a container; needs root
	@scripts/setup systemd systemd-container perl-base util-linux
	@scripts/check-systemd $(RELEASE)

stranger-trial:  ## follow the README from a clone to an installed package with completions; needs root, removes it again
	@scripts/setup $(TEST_PACKAGES) man-db rpm rpmlint rpm2cpio cpio
	@scripts/stranger-trial $(COMMAND)

screenshot: $(RELEASE) # docs/screen.svg from what the program prints
	@scripts/screenshot $(RELEASE) docs/screen.svg

generate:        ## write the options of the manual page and the completions from the option table
	swift build --build-tests
	-PORTWHY_RECORD=1 swift test --skip-build --filter ShippedTextTests
	swift test --skip-build --filter ShippedTextTests

purity:          # BindRules builds with nothing but SocketModel
	@directory=$$(mktemp -d /tmp/portwhy-purity.XXXXXX) && trap 'rm -r "$$directory"' EXIT && \
	swiftc -swift-version 6 -parse-as-library -emit-module -module-name SocketModel -package-name portwhy -o "$$directory/SocketModel.swiftmodule" \
	  $$(find Sources/SocketModel -name '*.swift') && \
	swiftc -swift-version 6 -enable-upcoming-feature InternalImportsByDefault -parse-as-library -typecheck -module-name BindRules -package-name portwhy -I "$$directory" $$(find Sources/BindRules -name '*.swift') && \
	! grep -rnE '^ *(public |package |private |internal )?import ' Sources/BindRules Sources/SocketModel \
	  | grep -vE 'BindRules/.*:((public|package) )?import SocketModel$$' && echo "purity: BindRules needs SocketModel alone"

lint:            ## formatting and style; warnings are errors in every build
	@scripts/setup mandoc
	swift format lint --strict -r Sources Tests Tools Examples Fuzzing Package.swift
	scripts/check-docs
	mandoc -T lint -W warning man/portwhy.1

format:          ## put the sources into the project's format
	swift format -i -r Sources Tests Tools Examples Fuzzing Package.swift

setup:           # quiet where nothing is missing
	@scripts/setup

clean:           ## remove what was built
	swift package clean
	rm -rf .build dist
