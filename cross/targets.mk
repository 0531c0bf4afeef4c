# Cross builds: one static binary for every kind of board. cross/README.md tells why each toolchain is what it is.

CROSS = amd64 arm64 armv6 armv7 riscv64

CC_amd64   = gcc
CC_arm64   = aarch64-linux-gnu-gcc
CC_armv6   = arm-linux-gnueabi-gcc
CC_armv7   = arm-linux-gnueabihf-gcc
CC_riscv64 = riscv64-linux-gnu-gcc

ENV_amd64   = GOARCH=amd64
ENV_arm64   = GOARCH=arm64
ENV_armv6   = GOARCH=arm GOARM=6
ENV_armv7   = GOARCH=arm GOARM=7
ENV_riscv64 = GOARCH=riscv64

# 64-bit time on 32-bit boards; ARM instructions only, for a core without Thumb-2.
CFLAGS_armv6 = -march=armv6 -marm -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64
CFLAGS_armv7 = -march=armv7-a+fp -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64

.PHONY: cross cross-check $(CROSS:%=cross-%)

cross: $(CROSS:%=cross-%) cross-check

$(CROSS:%=cross-%): cross-%:
	GOOS=linux $(ENV_$*) CC=$(CC_$*) CGO_CFLAGS="$(CGO_CFLAGS) $(CFLAGS_$*)" \
	go build -trimpath -tags $(TAGS) -ldflags "$(LDFLAGS) -extldflags -static" -o dist/linux-$*/fieldgate ./cmd/fieldgate

# The ARMv6 binary must be ARMv6 to the last library, and must run: the demo exercises SQLite, sensors and MQTT.
cross-check: cross-armv6
	readelf -A dist/linux-armv6/fieldgate | grep 'Tag_CPU_arch: v6$$'
	qemu-arm-static -cpu arm1176 dist/linux-armv6/fieldgate version
	qemu-arm-static -cpu arm1176 dist/linux-armv6/fieldgate demo --for 9s | tail -1

include cross/board.mk
include cross/image.mk
include cross/foreign.mk
