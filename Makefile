# The front door. It installs what is missing (Debian 12), then drives meson; `make help` lists what it can do.

BUILD ?= build
PREFIX ?= /usr/local
WERROR ?= false
TESTS ?= auto
SECONDS_PER_TARGET ?= 10
SEED ?= 1
RUNS ?= 50
SCHEDULES ?= 10000
MINUTES ?= 10

OPTIONS = --prefix=$(PREFIX) -Dwerror=$(WERROR) -Dtests=$(TESTS)
SANITIZE = -Db_sanitize=address,undefined -Db_lundef=false
MESON_TEST = meson test --no-rebuild --print-errorlogs

# Where tests are run, what they need must be there; elsewhere they are built if it is.
check check-asan check-valgrind check-kill check-redis check-standby check-sim check-cgroup2 fuzz-smoke lint tidy: export TESTS = enabled

.DEFAULT_GOAL := build
.PHONY: build setup demo demo-adapt check check-asan check-valgrind check-cgroup2 check-kill check-redis check-standby bench bench-accuracy bench-outcome check-sim fuzz-smoke lint tidy format docs install clean help

build: ## build into build/ (the default)
	@.ci/setup build
	@.ci/configure $(BUILD) $(OPTIONS)
	@ninja -C $(BUILD)

setup: ## install every package that any of these commands needs
	@.ci/setup build run test valgrind lint fuzz bench cgroup2

demo: ## run a real workflow in containers on this machine
	@.ci/setup run
	@$(MAKE) --no-print-directory build
	@examples/demo

demo-adapt: ## the same commands on four hosts, one of them sick, under two policies, side by side
	@.ci/setup run
	@$(MAKE) --no-print-directory build
	@examples/demo-adapt

check: ## build and run all tests
	@.ci/setup build run test
	@$(MAKE) --no-print-directory build
	@$(MESON_TEST) -C $(BUILD)

check-asan: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@.ci/setup build run test
	@CFLAGS="-fno-sanitize-recover=all -fno-omit-frame-pointer" .ci/configure build-asan $(OPTIONS) $(SANITIZE)
	@ninja -C build-asan
	@$(MESON_TEST) -C build-asan --timeout-multiplier 5

check-valgrind: ## the tests under valgrind
	@.ci/setup build run test valgrind
	@$(MAKE) --no-print-directory build
	@$(MESON_TEST) -C $(BUILD) --setup valgrind

check-kill: ## kill -9 shardrun at random moments of RUNS runs from SEED, amid splits and moves too; containers, processes
	@.ci/setup build run test
	@$(MAKE) --no-print-directory build
	@tests/campaign/kill.py $(BUILD)/examples/shardrun/shardrun --seed $(SEED) --runs $(RUNS) --longest 6
	@tests/campaign/kill.py $(BUILD)/examples/shardrun/shardrun --seed $(SEED) --runs $(RUNS) --executor process --longest 1.5
	@tests/campaign/kill.py $(BUILD)/examples/shardrun/shardrun --seed $(SEED) --runs $(RUNS) --splits --tasks 8 --kills 3 --longest 3
	@tests/campaign/kill.py $(BUILD)/examples/shardrun/shardrun --seed $(SEED) --runs $(RUNS) --splits --tasks 8 --kills 3 --longest 3 --executor process

check-cgroup2: ## the tests of launching on a system with cgroup v2 only, if need be in a kernel of its own
	@.ci/setup build run test cgroup2
	@$(MAKE) --no-print-directory build
	@tests/campaign/cgroup2 $(BUILD)

check-sim: ## 10^6 random decisions, rubbish among them, on simulated clusters from SEED; every invariant checked
	@.ci/setup build test
	@$(MAKE) --no-print-directory build
	@$(BUILD)/tests/sim/sim_test_fuzzer $(SEED) 1000000

check-redis: ## a run of 2,000 tasks whose Redis server is killed 50 times; SCHEDULES of two orchestrators behind a bad proxy
	@.ci/setup build run test
	@$(MAKE) --no-print-directory build
	@SHARD_REDIS_KILLS=50 SHARD_REDIS_TASKS=2000 $(BUILD)/tests/fault_test_redis_kill
	@SHARD_REDIS_SEED=$(SEED) SHARD_REDIS_SCHEDULES=$(SCHEDULES) $(BUILD)/tests/fault_test_redis_proxy

check-standby: ## two orchestrators on one run on Redis, stopped and continued in turn for MINUTES; containers, processes
	@.ci/setup build run test
	@$(MAKE) --no-print-directory build
	@tests/campaign/standby.py $(BUILD)/examples/shardrun/shardrun --seed $(SEED) --minutes $(MINUTES) --executor process
	@tests/campaign/standby.py $(BUILD)/examples/shardrun/shardrun --seed $(SEED) --minutes $(MINUTES)

bench: ## run the programs behind README's figures
	@.ci/setup build run bench
	@$(MAKE) --no-print-directory build
	@bench/run $(BUILD)

bench-accuracy: ## how well failures are forecast; FAILURES="[--hold-outs] TABLE..." for more
	@.ci/setup build run bench
	@$(MAKE) --no-print-directory build
	@bench/accuracy $(BUILD)/examples/shardrun/shardrun $(FAILURES)

bench-outcome: ## what policies are worth on simulated clusters; OUTCOME="--seeds 1-5 --scenarios sick10 FILE..." for others
	@.ci/setup build run bench
	@$(MAKE) --no-print-directory build
	@bench/outcome $(BUILD)/examples/shardrun/shardrun $(OUTCOME)

fuzz-smoke: ## each fuzz target for SECONDS_PER_TARGET seconds, from SEED
	@.ci/setup build test fuzz
	@CC=clang .ci/configure build-fuzz $(OPTIONS) $(SANITIZE) -Dfuzzer=true -Dbench=false -Ddocs=false
	@ninja -C build-fuzz
	@tests/fuzz/smoke build-fuzz $(SEED) $(SECONDS_PER_TARGET)

lint: ## formatting, static checks, layers, exports, headers, words, man pages
	@.ci/setup build test lint
	@$(MAKE) --no-print-directory build
	@tests/lint/run $(BUILD)

tidy: ## what clang-tidy's analysis has to say; advice, much of it about paths that cannot be
	@.ci/setup build test lint
	@$(MAKE) --no-print-directory build
	@tests/lint/clang_tidy $(BUILD)

format: ## let clang-format rewrite the sources
	@.ci/setup lint
	@tests/lint/sources c h | xargs clang-format -i

docs: ## write the man pages into build/man/
	@.ci/setup build
	@.ci/configure $(BUILD) $(OPTIONS)
	@ninja -C $(BUILD) docs

install: build ## install to PREFIX (default /usr/local), below DESTDIR
	@DESTDIR="$(DESTDIR)" meson install --no-rebuild -C $(BUILD)

clean: ## remove what was built
	@rm -rf $(BUILD) build-asan build-fuzz

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
