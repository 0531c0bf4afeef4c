// Package lazytest lets the store live on LazyFS, takes away what was not synced, and looks at what
// is left. It has tests only: `make test-lazyfs`.
//
// LazyFS is a file system in user space whose cache reaches the directory below it, the medium,
// only by fsync. The test binary runs itself as a writer that appends, takes, acknowledges, refuses
// and updates, with max_loss = "0s" or not, and prints each promise once it was given. A round ends
// in one of these ways, wherever the writer is:
//
//	the writer is killed, then LazyFS drops its cache
//	LazyFS is killed under the writer, whose calls fail from there on
//	LazyFS ends before or after the n-th fsync of the database or its log
//	LazyFS ends in the n-th write to either, of which some sectors are synced and others are lost
//	LazyFS ends in the n-th series of writes to either without an fsync, of which some are synced and others before them are lost
//
// Then a copy of the medium is opened and compared with what was promised. The next round goes on
// with the medium as it was found, and with a new one after some rounds: making a store is cut as
// well.
//
// What LazyFS does not do: new names, renames and removals reach the medium at once, whether the
// directory was synced or not; and but for the last two ways what was not synced is lost as a
// whole, nothing is reordered. Package powertest has both, by cutting a disk.
//
// Each round has mounts of its own, and its processes end with it, however it ends. Neither LazyFS
// itself belongs here nor tests of anything but package buffer.
package lazytest
