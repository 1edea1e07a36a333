# SPDX-License-Identifier: MIT
#
# A thin front: CMake builds, scripts/setup installs, tools/ checks. `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := build
.PHONY: golden build bench test test-peers tsan fuzz coverage style install clean help

BUILD_JOBS ?= $(shell nproc)
TEST_JOBS ?= 2
FUZZ_SECONDS ?= 60
PREFIX ?= /usr/local
export BUILD_JOBS TEST_JOBS FUZZ_SECONDS

build: ## build/release/pyrometer, after installing what the build needs
	@scripts/setup build
	@tools/build release pyrometer

bench: build ## measure a model (BENCH_MODEL_PATH=file or folder, BENCH_ARGS='--suite ...')
	@build/release/pyrometer bench $(BENCH_ARGS)

test: ## every test: ASan and UBSan, thread tests under TSan, fuzz corpora, house checks
	@scripts/setup test
	@tools/run-tests dev tsan

test-peers: build ## against llama.cpp's own llama-server (built once, five minutes, and kept in the cache)
	@scripts/setup build --peers
	@tools/run-peers

tsan: ## the thread tests alone, under ThreadSanitizer
	@scripts/setup test
	@tools/run-tests tsan

fuzz: ## run every fuzzer for FUZZ_SECONDS
	@scripts/setup fuzz
	@tools/run-fuzzers

coverage: ## line coverage of the tests, as text and build/coverage/report/index.html
	@scripts/setup coverage
	@tools/run-tests coverage
	@mkdir -p build/coverage/report
	@gcovr --root . --filter src/ --html-details build/coverage/report/index.html --print-summary build/coverage

golden: ## record the golden files of the reports again (then read the difference)
	@scripts/setup test
	@tools/build dev
	@PYR_GOLDEN=write ctest --test-dir build/dev -R '^report/' --output-on-failure

style: ## the house checks alone, with the layout of the code
	@scripts/setup style
	@tools/check-rooms
	@tools/check-style

install: build ## install below PREFIX (default /usr/local; DESTDIR is honoured)
	@cmake --install build/release --prefix "$(PREFIX)"

clean: ## remove what was built (the engine and the download cache stay)
	rm -rf build/release build/dev build/tsan build/fuzz build/coverage

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 18
