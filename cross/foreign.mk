# The suites of the parts that meet bits and bytes, on other processors: cross/README.md says what that shows and what it cannot.

FOREIGN = armv6 armv7 arm64 riscv64

EXEC_armv6   = qemu-arm-static -cpu arm1176
EXEC_armv7   = qemu-arm-static -cpu cortex-a7
EXEC_arm64   = qemu-aarch64-static
EXEC_riscv64 = qemu-riscv64-static

# What QEMU's user mode cannot run: the names in the table of cross/README.md.
CANNOT := $(shell awk -F'`' '/^\| `Test/ {printf "%s^%s$$", n++ ? "|" : "", $$2}' cross/README.md)

.PHONY: test-foreign test-386 $(FOREIGN:%=test-foreign-%)

test-foreign: $(FOREIGN:%=test-foreign-%)

# The log has everything; printed is what was skipped, with the reason, what failed, and the time of each suite.
$(FOREIGN:%=test-foreign-%): test-foreign-%:
	@mkdir -p dist; begin=$$SECONDS; log=dist/foreign-$*.log; \
	test() { go test -short -v -count=1 -timeout 30m -skip '$(CANNOT)' -exec '$(EXEC_$*)' $(ARGS) "$$@"; }; \
	status=0; export GOOS=linux $(ENV_$*); \
	CGO_ENABLED=0 test ./mqtt/... ./drivers/... ./config/... ./internal/filter ./internal/payload/... ./internal/reading ./internal/alarm >$$log 2>&1 || status=1; \
	CC=$(CC_$*) CGO_CFLAGS="$(CGO_CFLAGS) $(CFLAGS_$*)" test -tags $(TAGS) -ldflags '-extldflags -static' ./buffer/... >>$$log 2>&1 || status=1; \
	echo '$*: not run, since QEMU cannot: $(CANNOT)'; \
	grep -aE -B1 '^ *--- SKIP' $$log | grep -av '^--$$'; grep -aE -B6 '^ *--- FAIL|^panic:' $$log; grep -aE '^(ok|FAIL)' $$log; \
	echo "test-foreign: $* in $$((SECONDS - begin)) s, status $$status"; exit $$status

# 32 bits and their alignment, without an emulator and without C.
test-386:
	@begin=$$SECONDS; CGO_ENABLED=0 GOARCH=386 go test -short -count=1 $(ARGS) ./mqtt/packet/... ./drivers/... ./config/... ./internal/filter ./internal/payload/... ./internal/reading ./internal/alarm | grep -v 'no test files' && echo "test-386: in $$((SECONDS - begin)) s"
