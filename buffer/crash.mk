# Crash tests of the store that take minutes, and its comparison with other people's. All need root to mount file systems of their own.

.PHONY: test-crash test-power bench-store

# 500 kills, a fault at every call that writes or makes durable (strace), and an hour on a full disk.
CRASH_TEST = go test -count=1 -tags $(TAGS) -timeout 90m -v ./buffer
test-crash:
	$(CRASH_TEST) -run 'TestKill$$' -buffer.kills 500
	$(CRASH_TEST) -run TestFaults -buffer.fault-step 1
	mkdir -p dist/small && truncate -s 16M dist/small.img && mkfs.ext4 -q -F dist/small.img && mount -o loop dist/small.img dist/small
	FIELDGATE_BUFFER_SMALLFS=$(CURDIR)/dist/small $(CRASH_TEST) -run TestDiskFull; s=$$?; umount dist/small; exit $$s

# Power cuts: the gateway in QEMU on a disk that forgets what was not flushed; buffer/powertest/doc.go says how. It needs the packages
# qemu-system-x86, cpio, kmod and e2fsprogs, and fetches Debian's kernel for virtual machines.
POWER      = $(CURDIR)/dist/power
POWER_CUTS ?= 100

test-power: cross-amd64 $(POWER)/kernel
	go test -c -tags $(TAGS) -ldflags "-extldflags -static" -o $(POWER)/power.test ./buffer/powertest
	sh buffer/powertest/initrd.sh $(POWER)/initrd $(POWER)/power.test dist/linux-amd64/fieldgate buffer/powertest/testdata/fieldgate.toml $(POWER)/kernel
	$(POWER)/power.test -test.v -test.run TestPower -test.timeout 2h -power.cuts $(POWER_CUTS) -power.kernel $(POWER)/kernel/boot/vmlinuz* -power.initrd $(POWER)/initrd

$(POWER)/kernel:
	rm -rf $@.part && mkdir -p $@.part
	cd $@.part && apt-get -q download $$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:.*linux-image/ {print $$2; exit}')
	dpkg-deb -x $@.part/*.deb $@.part
	rm $@.part/*.deb
	depmod -b $@.part "$$(ls $@.part/lib/modules)"
	mv $@.part $@

# Unsynced and torn writes lost: the store on LazyFS; buffer/lazytest/doc.go says how. It needs root, /dev/fuse, and the program lazyfs in
# the PATH or named by LAZYFS=<path>.
.PHONY: test-lazyfs
LAZYFS        ?= $(shell command -v lazyfs)
LAZYFS_CUTS   ?= 50
LAZYFS_FAULTS ?= 100

test-lazyfs:
ifeq ($(LAZYFS),)
	@echo 'skipped: the program lazyfs is not installed'
else
	go test -count=1 -tags $(TAGS) -timeout 60m -v ./buffer/lazytest -lazyfs.bin $(abspath $(LAZYFS)) -lazyfs.cuts $(LAZYFS_CUTS) -lazyfs.faults $(LAZYFS_FAULTS) \
		| grep -vE '^(=== RUN|=== NAME|    --- PASS)'
endif

bench: bench-store
bench-store:
	cd buffer/bench && go run -tags $(TAGS) .
