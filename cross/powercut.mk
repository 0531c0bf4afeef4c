# Power cuts of a booted Debian with the package: cross/powercut/doc.go says how. It needs root, the packages qemu-system-x86,
# busybox-static, cpio, kmod, e2fsprogs and mmdebstrap, and the kernel of `make test-power`.
POWERCUT          = $(CURDIR)/dist/powercut
POWERCUT_CUTS     ?= 25
POWERCUT_UPGRADES ?= 10

.PHONY: test-service-power
test-service-power: life-packages $(POWER)/kernel
	mkdir -p $(POWERCUT)
	MORE=iproute2 cross/packages/root.sh bookworm amd64 $(ROOTS)/bookworm-amd64-net
	cross/powercut/image.sh $(ROOTS)/bookworm-amd64-net $(LIFE)/old.deb $(LIFE)/new.deb $(POWERCUT)/image mqtt://10.0.2.100:1883
	cross/powercut/initrd.sh $(POWER)/kernel $(POWERCUT)/initrd
	go test -count=1 -v -tags $(TAGS) -timeout 3h $(ARGS) ./cross/powercut -powercut.kernel $(POWER)/kernel/boot/vmlinuz* -powercut.initrd $(POWERCUT)/initrd \
		-powercut.image $(POWERCUT)/image -powercut.program $(CURDIR)/dist/linux-amd64/fieldgate -powercut.cuts $(POWERCUT_CUTS) -powercut.upgrades $(POWERCUT_UPGRADES)
