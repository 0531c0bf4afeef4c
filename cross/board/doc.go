// Package board has tests on emulated boards: QEMU's machines with Debian's kernels, where the
// buses, adapters and drivers of the kernel are real and only the silicon is not. `make test-board`
// fetches and builds what they need and runs them; elsewhere they are skipped.
//
// A test boots a machine from an initramfs of busybox, kernel modules and our programs (initrd.sh,
// guest/init), gives it commands line by line over the serial console, and changes the hardware
// over QMP: the temperature of a chip, a USB plug. Nothing waits for luck: whatever is waited for
// has a deadline and is printed with the time that it took.
//
//	guest/      what runs as the first process, and the gateway's configurations
//	usbip/      guest program: chips' models behind a real adapter's driver, through the kernel's virtual USB
//	i2cstress/  guest program: transfers while stacks move
package board
