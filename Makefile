# SPDX-License-Identifier: Apache-2.0
#
# Shardmeter's build: one Makefile for GNU make, no recursion into directories.
#
# Sources are found by wildcard, so a new file needs no change here. Everything that is
# made goes to $(BUILD)/$(CONFIG). `make help` lists the targets; docs/third-party.md
# says what each library is for; CONTRIBUTING.md says where tests go and how to name them.

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules

# --- What the user may set -----------------------------------------------------------
# On the command line or, for CC, CFLAGS, CPPFLAGS, LDFLAGS and the install paths, in the
# environment. (BUILD and CONFIG not from there: tests run with BUILD set.)
CONFIG       := release
BUILD        := build
DESTDIR      ?=
prefix       ?= /usr/local
bindir       ?= $(prefix)/bin
libdir       ?= $(prefix)/lib
includedir   ?= $(prefix)/include
mandir       ?= $(prefix)/share/man
pkgconfigdir ?= $(libdir)/pkgconfig
bashcompdir  ?= $(prefix)/share/bash-completion/completions
zshcompdir   ?= $(prefix)/share/zsh/site-functions
PYTHON       ?= $(firstword $(wildcard /usr/bin/python3) python3)
KILLS        ?= 100000#		soak: how many SIGKILLs
FUZZ         ?=#			fuzz: which tests/fuzz/fuzz_NAME.c
SECONDS      := 60#			fuzz: for how long

B := $(BUILD)/$(CONFIG)
Q := $(if $(V),,@)
comma := ,
define newline


endef
say = $(if $(V),,@printf '  %-8s%s\n' '$1' '$(patsubst $(BUILD)/%,%,$2)')

# --- Version: VERSION, soname, symbol map and header must tell the same story ----------
VERSION   := $(shell cat VERSION)
SOVERSION := 0
SONAME    := libshardmeter.so.$(SOVERSION)
REALNAME  := libshardmeter.so.$(VERSION)
MAP       := libshm/shardmeter.map
ifneq ($(firstword $(subst ., ,$(VERSION))),$(SOVERSION))
$(error VERSION says $(VERSION), the Makefile says SOVERSION $(SOVERSION))
endif
ifneq ($(lastword $(shell sed -n 's/^SHARDMETER_\([0-9]*\) {.*/\1/p' $(MAP))),$(SOVERSION))
$(error the last node of $(MAP) is not SHARDMETER_$(SOVERSION))
endif
HEADER_VERSION := $(shell awk '/define SM_VERSION_(MAJOR|MINOR|PATCH) /{ v = v s $$3; s = "." } \
	END { print v }' include/shardmeter.h 2>/dev/null)
ifneq ($(or $(HEADER_VERSION),$(VERSION)),$(VERSION))
$(error VERSION says $(VERSION), include/shardmeter.h says $(HEADER_VERSION))
endif

# --- Configurations --------------------------------------------------------------------
# OPT_x is the default of CFLAGS (else -O2 -g); CFG_x belongs to the configuration whatever
# CFLAGS says; LDF_x links a fuzzer; CC_x is the only compiler that makes sense there.
CONFIGS     := release debug asan tsan steps musl arm64 fuzz
OPT_release := -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2
OPT_debug   := -O0 -g3
OPT_asan    := -O1 -g -fno-omit-frame-pointer
CFG_asan    := -fsanitize=address,undefined -fno-sanitize-recover=undefined
OPT_tsan    := -O1 -g -fno-omit-frame-pointer
CFG_tsan    := -fsanitize=thread $(if $(findstring clang,$(CC)),,-Wno-tsan)
CFG_steps   := -DSM_TEST_STEPS
CFG_musl    := -isystem $(BUILD)/musl/kernel
CC_musl     := musl-gcc
CFG_arm64   := --sysroot=$(abspath $(BUILD)/arm64/sysroot)
CC_arm64    := aarch64-linux-gnu-gcc
OPT_fuzz    := -O1 -g -fno-omit-frame-pointer
CFG_fuzz    := -fsanitize=fuzzer-no-link,address,undefined
LDF_fuzz    := -fsanitize=fuzzer
CC_fuzz     := clang
ifeq ($(filter $(CONFIG),$(CONFIGS)),)
$(error CONFIG=$(CONFIG) is none of: $(CONFIGS))
endif
ifneq ($(CC_$(CONFIG)),)
override CC := $(CC_$(CONFIG))
else ifeq ($(origin CC),default)
CC := gcc
endif
AR := $(if $(filter arm64,$(CONFIG)),aarch64-linux-gnu-ar,ar)
CFLAGS ?= $(or $(OPT_$(CONFIG)),-O2 -g)

# --- Flags -------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wvla -Wcast-qual \
	-Wwrite-strings -Wpointer-arith -Wundef -Wformat=2 $(if $(WERROR),-Werror)
# Off, with the reason:
#   missing-prototypes in tests: --wrap calls __wrap_x(), libFuzzer its entry; no header has them
#   unused-parameter in tests:   cmocka hands every test a state pointer
#   tsan with gcc's TSan:        it does not model fences, which can only make it report too much
TESTWARN := -Wno-missing-prototypes -Wno-unused-parameter

BASE  := -std=gnu11 -D_GNU_SOURCE -fno-math-errno -pthread -Iinclude -iquote . \
	-DSHARDMETER_VERSION='"$(VERSION)"' $(CFG_$(CONFIG))
# Initial-exec TLS: one load to a thread's lane. musl has no surplus TLS for dlopen'ed libraries.
PART  := -fPIE
PIC   := -fPIC -fvisibility=hidden $(if $(filter musl,$(CONFIG)),,-ftls-model=initial-exec)
COMPILE = $(CC) $(BASE) $(WARN) $(CPPFLAGS) $(CFLAGS) -MMD -MP
LINK    = $(CC) $(CFG_$(CONFIG)) $(CFLAGS) -pthread $(LDFLAGS) -Wl,--as-needed
# A sanitizer's own symbols are resolved only in the program.
# -Bsymbolic: a program that carries and exports a static copy must not take over half of this one.
SOFLAGS := -shared -Wl,-soname,$(SONAME) -Wl,--version-script=$(MAP) -Wl,-z,nodelete -Wl,-Bsymbolic \
	-Wl,-z,relro,-z,now $(if $(filter asan tsan fuzz,$(CONFIG)),,-Wl,-z,defs)

# --as-needed keeps what a program really uses. A new one also goes into scripts/install-deps,
# scripts/arm64-sysroot and docs/third-party.md.
LIBS := -lmicrohttpd -llmdb -lisal -lyaml -lncursesw -ltinfo -lm

# --- Sources and objects -----------------------------------------------------------------
SRC_common     := $(wildcard common/*.c)
SRC_shardmeter := $(wildcard libshm/*.c)
SRC_exporter   := $(wildcard exporter/*.c exporter/*/*.c)
SRC_shmtop     := $(wildcard tools/shmtop/*.c)
SRC_cli        := $(wildcard tools/shardmeter/*.c)
SRC_demo       := $(wildcard tools/demo/*.c)
SRC_tests      := $(wildcard tests/unit/*.c tests/system/*.c tests/crash/*.c tests/fuzz/*.c)
SRC_bench      := $(wildcard bench/*.c)
PARTS := common shardmeter exporter shmtop cli demo
SRC   := $(foreach p,$(PARTS),$(SRC_$p))
HEADERS := $(wildcard include/*.h)
PRIVATE := $(wildcard common/*.h libshm/*.h exporter/*.h exporter/*/*.h tools/*/*.h tests/*/*.h)

# Two object trees: obj/ is what is installed, test/ is the same code compiled with
# -DSM_TEST (which only makes TEST_MUTABLE pointers assignable), for the test programs.
OBJ  := $(patsubst %.c,$B/obj/%.o,$(SRC))
TOBJ := $(patsubst %.c,$B/test/%.o,$(SRC) $(SRC_tests) $(SRC_bench))
DIRS := $(sort $(dir $(OBJ) $(TOBJ)) $(patsubst %,$B/tests/%,unit system crash fuzz) $B/bench)
members = $(patsubst %.c,$B/$1/%.o,$(filter-out exporter/main.c tools/%/main.c,$(SRC_$2)))

# Sources with a main.c become programs.
program  = $(if $(wildcard $2),$B/$1)
PROGRAMS := $(call program,shardmeter-exporter,exporter/main.c) \
	$(call program,shmtop,tools/shmtop/main.c) $(call program,shardmeter,tools/shardmeter/main.c)
DEMO     := $(call program,shardmeter-demo,tools/demo/main.c)
LIBRARY  := $(if $(SRC_shardmeter),$B/libshardmeter.a $B/$(REALNAME) $B/shardmeter.pc)

UNIT   := $(patsubst %.c,$B/%,$(wildcard tests/unit/test_*.c))
SYSTEM := $(patsubst %.c,$B/%,$(wildcard tests/system/*.c))
CRASH  := $(patsubst %.c,$B/%,$(wildcard tests/crash/*.c))
FUZZERS := $(patsubst %.c,$B/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH  := $(patsubst %.c,$B/%,$(wildcard bench/bench_*.c)) \
	$(patsubst %.cc,$B/%,$(wildcard bench/peer_*.cc))
MAN    := $(wildcard docs/man/*.[1358])

# --- Build ---------------------------------------------------------------------------------
.PHONY: all lib test-programs crash-programs unit-programs everything FORCE
all: lib $(PROGRAMS) $(DEMO) ## build everything (the default)
lib: $(LIBRARY) ## build the library only
test-programs: all $(UNIT) $(SYSTEM) $(if $(wildcard tests/fuzz/replay.c),$(FUZZERS))
crash-programs: $(CRASH)
unit-programs: $(UNIT)
everything: test-programs $(filter $B/bench/bench_%,$(BENCH))

# The flags of the last build: a change rebuilds all.
FLAGS := $(CC) $(BASE) $(WARN) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LIBS)
$B/flags: Makefile FORCE | $(DIRS)
	@printf '%s\n' '$(subst ','\'',$(FLAGS))' > $@.new
	@if [ $@ -nt Makefile ] && cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(DIRS):
	@mkdir -p $@
ifeq ($(CONFIG),musl)
# musl-gcc hides the kernel's headers together with glibc's: give it those alone.
$B/flags: | $B/kernel
$B/kernel:
	@mkdir -p $@ && ln -sfn /usr/include/linux $@/linux && \
	ln -sfn /usr/include/asm-generic $@/asm-generic && \
	ln -sfn /usr/include/$$(gcc -print-multiarch)/asm $@/asm
endif
ifeq ($(CONFIG),arm64)
$B/flags: | $B/sysroot/.complete
$B/sysroot/.complete: scripts/arm64-sysroot
	$(call say,SYSROOT,$@)
	$Qscripts/arm64-sysroot $(@D)
endif

$B/obj/libshm/%.o $B/test/libshm/%.o: PART := $(PIC)
$B/test/tests/%.o $B/test/bench/%.o: PART := -fPIE $(TESTWARN) -iquote libshm
$B/obj/%.o: %.c $B/flags | $(DIRS)
	$(call say,CC,$@)
	$Q$(COMPILE) $(PART) -c -o $@ $<
$B/test/%.o: %.c $B/flags | $(DIRS)
	$(call say,CC,$@)
	$Q$(COMPILE) -DSM_TEST $(PART) -c -o $@ $<

# The page is put into the program by .incbin; the compiler does not report those files.
$(foreach t,obj test,$(patsubst %.c,$B/$t/%.o,$(wildcard exporter/web/*.c))): \
	$(filter-out %.c %.h,$(wildcard exporter/web/*.* exporter/web/*/*.*))

define archive
$B/$2lib$3.a: $(call members,$1,$3)
	$$(call say,AR,$$@)
	$Qrm -f $$@ && $(AR) rcs $$@ $$^
endef
$(foreach p,$(PARTS),$(eval $(call archive,obj,,$p)))
$(foreach p,$(PARTS),$(eval $(call archive,test,test/,$p)))

$B/$(REALNAME): $(call members,obj,shardmeter) $(MAP)
	$(call say,LINK,$@)
	$Q$(LINK) $(SOFLAGS) -o $@ $(filter %.o,$^) -lm
	$Qln -sf $(REALNAME) $B/$(SONAME) && ln -sf $(SONAME) $B/libshardmeter.so
$B/shardmeter.pc: libshm/shardmeter.pc.in FORCE | $(DIRS)
	@sed -e 's,@prefix@,$(prefix),; s,@libdir@,$(libdir),; s,@includedir@,$(includedir),' \
		-e 's,@version@,$(VERSION),' $< > $@

# Programs carry the library in themselves: they run from the build directory as installed.
# An archive gives only what is used, so the tools can all see exporter/history.
$B/shardmeter-exporter: $B/obj/exporter/main.o $B/libexporter.a
$B/shmtop: $B/obj/tools/shmtop/main.o $B/libshmtop.a $B/libexporter.a
$B/shardmeter: $B/obj/tools/shardmeter/main.o $B/libcli.a $B/libexporter.a
$B/shardmeter-demo: $B/obj/tools/demo/main.o $B/libdemo.a
$(PROGRAMS) $(DEMO): $B/libcommon.a $B/libshardmeter.a
	$(call say,LINK,$@)
	$Q$(LINK) -pie -Wl,-z,relro,-z,now -o $@ -Wl,--start-group $^ -Wl,--end-group $(LIBS)

# --- Test programs ---------------------------------------------------------------------------
# A line `// LDFLAGS: -Wl,--wrap=mmap` in the test's source adds link flags.
ldflags = $$(sed -n 's,^\(//\|/\*\) *LDFLAGS: *\([^*]*\).*,\2,p' $1)
TESTLIBS := $(foreach p,$(PARTS),$B/test/lib$p.a)
INSIDE = -Wl,--start-group $(TESTLIBS) -Wl,--end-group
linktest = $(LINK) $(call ldflags,$*.c) -o $@ $(filter %.o,$^) $1 -lcmocka $(LIBS)

$(UNIT) $(CRASH): $B/%: $B/test/%.o $(TESTLIBS)
	$(call say,LINK,$@)
	$Q$(call linktest,$(INSIDE))
# System tests use the shared library as any program does; `// LINK: static` for the inside.
$(SYSTEM): $B/%: $B/test/%.o $(TESTLIBS) $B/$(REALNAME)
	$(call say,LINK,$@)
	$Qif grep -q '^// LINK: static' $*.c; then $(call linktest,$(INSIDE)); \
	else $(call linktest,-L$B -lshardmeter -Wl$(comma)-rpath$(comma)'$$ORIGIN/../..'); fi

# A fuzzer is driven by libFuzzer in CONFIG=fuzz, else by the replay of its corpus.
DRIVER := $(if $(filter fuzz,$(CONFIG)),,$B/test/tests/fuzz/replay.o)
$(FUZZERS): $B/%: $B/test/%.o $(DRIVER) $(TESTLIBS)
	$(call say,LINK,$@)
	$Q$(call linktest,$(INSIDE) $(LDF_$(CONFIG)))

$(filter $B/bench/bench_%,$(BENCH)): $B/%: $B/test/%.o $B/libshardmeter.a
	$(call say,LINK,$@)
	$Q$(LINK) -o $@ $^ $(LIBS)
$(filter $B/bench/peer_%,$(BENCH)): $B/%: %.cc $B/flags $(HEADERS) $B/libshardmeter.a | $(DIRS)
	$(call say,CXX,$@)
	$Q$(CXX) -std=gnu++17 -O2 -g -Wall -pthread -Iinclude -iquote . -o $@ $< $B/libshardmeter.a \
		-Wl,--as-needed -lprometheus-cpp-pull -lprometheus-cpp-core -lz

# --- Run and test ----------------------------------------------------------------------------
# Other configurations are built by another make with CONFIG=..., see scripts/run-tests.
RUNTESTS = MAKEARGS="$(MAKEOVERRIDES)" MAKEFLAGS= $(PYTHON) scripts/run-tests --build $(BUILD)
.PHONY: run test test-full bench soak fuzz smoke
run: ## install what is missing, build, and show it at work with a demo bot
	@scripts/install-deps run
	@$(MAKE) --no-print-directory all
	@exec scripts/run-demo
test: ## install what is missing, build, run the tests
	@scripts/install-deps test
	@$(RUNTESTS)
test-full: ## everything: long tests, sanitizers, clang, musl, arm64, static checks
	@scripts/install-deps full
	@$(RUNTESTS) --full
soak: ## the long crash tests with KILLS=100000 kills and no time limit
	@scripts/install-deps test
	@KILLS=$(KILLS) $(RUNTESTS) --soak
bench: ## compare with other libraries (bench/run)
	@scripts/install-deps bench
	@$(MAKE) --no-print-directory all $(BENCH)
	@BUILD=$(abspath $B) SRCDIR=$(CURDIR) exec bench/run $(BENCH_ARGS)
fuzz: ## fuzz one parser: FUZZ=name SECONDS=60
	$(if $(FUZZ),,$(error FUZZ=name, one of: $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))))
	@$(MAKE) --no-print-directory CONFIG=fuzz $(BUILD)/fuzz/tests/fuzz/fuzz_$(FUZZ)
	@mkdir -p $(BUILD)/fuzz/found/$(FUZZ)
	$(BUILD)/fuzz/tests/fuzz/fuzz_$(FUZZ) -max_total_time=$(SECONDS) \
		-artifact_prefix=$(BUILD)/fuzz/$(FUZZ)- $(BUILD)/fuzz/found/$(FUZZ) \
		$(wildcard tests/fuzz/corpus/$(FUZZ))
# The library alone in a small program, static and shared: what CONFIG=musl is for.
smoke: $(LIBRARY) $B/test/tests/system/smoke.o
	$Q$(LINK) -static -o $B/smoke-static $B/test/tests/system/smoke.o $B/libshardmeter.a -lm
	$Q$(LINK) -o $B/smoke-shared $B/test/tests/system/smoke.o -L$B -lshardmeter -Wl,-rpath,'$$ORIGIN'
	$B/smoke-static && $B/smoke-shared

# --- Checks ------------------------------------------------------------------------------------
CHECKED := $(SRC) $(SRC_tests) $(SRC_bench) $(wildcard bindings/*/*/*.c)
TIDY_tests    := -DSM_TEST -iquote libshm
TIDY_bench    := $(TIDY_tests)
TIDY_bindings := $(addprefix -isystem ,$(wildcard /usr/include/node /usr/include/python3.*))
SHELLS  := $(shell grep -lE '^\#!.*\b(ba|da)?sh$$' .ci/run scripts/* tests/system/* bench/* \
	deploy/*/* bindings/*/* 2>/dev/null)
.PHONY: lint lint-tidy lint-cppcheck lint-shell lint-spell lint-man lint-format
lint: lint-tidy lint-cppcheck lint-shell lint-spell lint-man lint-format ## all static checks
lint-tidy: $(patsubst %.c,$B/tidy/%.ok,$(CHECKED))
$B/tidy/%.ok: %.c .clang-tidy $(HEADERS) $(PRIVATE)
	$(call say,TIDY,$<)
	@mkdir -p $(@D)
	$Qclang-tidy --quiet --warnings-as-errors='*' $< -- $(BASE) -Wno-unknown-warning-option \
		$(TIDY_$(firstword $(subst /, ,$<))) 2>$@.err || { cat $@.err; exit 1; }
	@touch $@
lint-cppcheck:
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=scripts/cppcheck.suppress --error-exitcode=1 -j2 \
		-D__x86_64__ -D__linux__ -D__GNUC__=12 -Iinclude -I. $(SRC)
lint-shell:
	shellcheck $(SHELLS)
lint-spell:
	scripts/check-spelling
lint-man:
	scripts/check-man $(MAN)
lint-format:
	scripts/check-format $(CHECKED) $(HEADERS) $(PRIVATE)

.PHONY: symbol-map check-symbols headers consumer out-of-tree
symbol-map: ## write libshm/shardmeter.map from the SM_API functions in include/
	$(PYTHON) scripts/symbols write $(MAP) SHARDMETER_$(SOVERSION) $(HEADERS)
check-symbols: lib ## compare headers, symbol map and the built library
	$(PYTHON) scripts/symbols check $(MAP) $B/$(REALNAME) $(HEADERS)
headers: ## each public header alone, as C11 and C++17, gcc and clang
	scripts/check-headers $(HEADERS)
consumer: all ## build and run a program against the installed library
	scripts/check-consumer $B
out-of-tree: ## a build elsewhere leaves the source tree as it was
	scripts/check-out-of-tree

# --- Install -------------------------------------------------------------------------------------
.PHONY: install uninstall clean help
put = install -m $1 $2 $(DESTDIR)$3
install: all ## install programs, library, headers and manual pages (DESTDIR, prefix)
	$Qinstall -d $(addprefix $(DESTDIR),$(bindir) $(libdir) $(includedir) $(pkgconfigdir))
	$Qinstall -d $(foreach s,$(sort $(subst .,,$(suffix $(MAN)))),$(DESTDIR)$(mandir)/man$s)
	$(if $(PROGRAMS),$Q$(call put,755,$(PROGRAMS),$(bindir)/))
	$Q$(call put,755,$B/$(REALNAME),$(libdir)/)
	$Qln -sf $(REALNAME) $(DESTDIR)$(libdir)/$(SONAME)
	$Qln -sf $(SONAME) $(DESTDIR)$(libdir)/libshardmeter.so
	$Q$(call put,644,$B/libshardmeter.a,$(libdir)/)
	$Q$(call put,644,$(HEADERS),$(includedir)/)
	$Q$(call put,644,$B/shardmeter.pc,$(pkgconfigdir)/)
	$Qinstall -d $(addprefix $(DESTDIR),$(bashcompdir) $(zshcompdir))
	$Q$B/shardmeter completion bash > $(DESTDIR)$(bashcompdir)/shardmeter
	$Q$B/shardmeter completion zsh > $(DESTDIR)$(zshcompdir)/_shardmeter
	$Qfor p in shmtop shardmeter-exporter; do ln -sf shardmeter $(DESTDIR)$(bashcompdir)/$$p; done
	$(foreach m,$(MAN),$Q$(call put,644,$m,$(mandir)/man$(subst .,,$(suffix $m))/)$(newline))
uninstall: ## remove what install put there
	rm -f $(addprefix $(DESTDIR)$(bindir)/,shardmeter-exporter shmtop shardmeter)
	rm -f $(addprefix $(DESTDIR)$(libdir)/,$(REALNAME) $(SONAME) libshardmeter.so libshardmeter.a)
	rm -f $(addprefix $(DESTDIR)$(includedir)/,$(notdir $(HEADERS)))
	rm -f $(DESTDIR)$(pkgconfigdir)/shardmeter.pc $(DESTDIR)$(zshcompdir)/_shardmeter
	rm -f $(addprefix $(DESTDIR)$(bashcompdir)/,shardmeter shmtop shardmeter-exporter)
	rm -f $(foreach m,$(MAN),$(DESTDIR)$(mandir)/man$(subst .,,$(suffix $m))/$(notdir $m))
clean: ## remove everything that was built
	rm -rf $(BUILD)
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo 'Variables: CONFIG=$(CONFIG) BUILD=$(BUILD) V=1 WERROR=1 CC CFLAGS LDFLAGS DESTDIR prefix ...'

-include $(OBJ:.o=.d) $(TOBJ:.o=.d)
