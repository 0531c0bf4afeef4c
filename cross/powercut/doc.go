// Package powercut cuts the power of a booted Debian on which the package runs as a service, and of
// one that is in the middle of an upgrade. It has tests only: `make test-service-power`.
//
// The machine is QEMU with Debian's kernel and systemd. Its disk is a network block device with a
// volatile write cache (package disk), so a cut loses what was not flushed, or keeps a random part.
// It reaches nothing but one port of this machine, where a broker and a subscriber outlive every
// cut. What the subscriber has received is held against `fieldgate verify` in the end, and after
// each cut the gateway has to deliver again by itself.
package powercut
