# Tests on emulated boards: cross/README.md tells what they show. Needs qemu-system-arm, cpio, kmod and apt; no root.

BOARD = dist/board

.PHONY: test-board board-kernels board-programs

# FIELDGATE_BOARD tells the tests where the kernels and the guest programs are; the gateway is beside it.
test-board: board-kernels board-programs cross-arm64 cross-armv6 cross-armv7
	@begin=$$SECONDS; \
	FIELDGATE_BOARD=$(CURDIR)/$(BOARD) go test -tags $(TAGS) -count=1 -v -timeout 15m $(ARGS) ./cross/board && \
	echo "test-board: all boards in $$((SECONDS - begin)) s"

board-kernels:
	@begin=$$SECONDS; cross/board/fetch.sh $(BOARD) && echo "test-board: kernels in $$((SECONDS - begin)) s"

board-programs:
	CGO_ENABLED=0 GOOS=linux $(ENV_arm64) go build -trimpath -ldflags "-s -w" -o $(BOARD)/bin/usbip ./cross/board/usbip
	CGO_ENABLED=0 GOOS=linux $(ENV_armv7) go build -trimpath -ldflags "-s -w" -o $(BOARD)/bin/i2cstress ./cross/board/i2cstress

# Memory, start, size and CPU of the idle gateway, for docs/benchmarks.md: ten minutes, all targets at once.
.PHONY: footprint footprint-boards
FOOTPRINT ?= 10m

footprint: board-kernels cross-amd64 cross-arm64 cross-armv6 cross-armv7 footprint-boards

footprint-boards:
	@FIELDGATE_BOARD=$(CURDIR)/$(BOARD) FIELDGATE_FOOTPRINT=$(FOOTPRINT) go test -tags $(TAGS) -count=1 -v -timeout 40m -parallel 4 -run TestFootprint ./cross/board | grep -E '^ *(---|FAIL|ok|[a-z_]+\.go:)|\|'
