// Package powertest cuts the power of a machine that runs the gateway, and looks at what its disk
// still holds. It has tests only: `make test-power`.
//
// The machine is QEMU with a Debian kernel. Its init is the test binary itself, which starts
// `fieldgate run` with max_loss = "0s" and a writer on package buffer, and prints each record on
// the console once it was promised. Its disk is a network block device with a volatile write cache,
// served by the test: what was written since the last flush is not on the medium yet. The test
// counts flushes and cuts the power before flush n+1 happens, for many n. Of what the cache holds
// then, a random part of the sectors reaches the medium: nothing, all of them, or some, which are
// lost, reordered and torn writes. After the cut the test mounts a copy of the medium, so that the
// kernel replays the journal of its file system, opens both stores, and compares them with the
// console. The machine goes on with the medium as it was found, and a new one after some cuts:
// creating the stores is cut as well.
//
// Killing a process proves nothing of the kind: what it had written survives.
package powertest
