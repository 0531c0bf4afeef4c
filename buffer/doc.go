// Package buffer keeps whatever must survive a power cut in one SQLite file:
// records that wait for delivery, the ledger of those that were lost, dead
// letters, and small values for others (Update). It knows nothing of sensors
// or MQTT: bodies are opaque. Everything that touches the file belongs here,
// nothing else does.
//
// # Building
//
// The package needs cgo, and its measured costs need these flags:
//
//	CGO_CFLAGS="-O2 -DHAVE_FDATASYNC=1 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_DQS=0 -DSQLITE_MAX_EXPR_DEPTH=0"
//	go build -tags sqlite_omit_load_extension
//
// Without HAVE_FDATASYNC it is as safe, but each commit also writes the file
// system's journal: about twice the bytes and flushes.
//
// # The way of a record
//
// Append puts a record in the RAM front. Acknowledged there, it never reaches
// the flash. Otherwise the committer, the one goroutine that uses the
// database, starts when the oldest record is MaxLoss/2 old and writes the
// unacknowledged records of each lane as one row, a segment: a commit costs
// two pages of log and one flush, whatever the number of records. Recently
// stored segments stay in RAM, bounded; older ones are read when they are
// taken. What lies only on the disk is described by one range of ids per lane
// and by counters that every commit stores, so neither memory nor the time of
// Open and of the first batch depends on the backlog.
//
// Positions number the records over the life of the file; the id of a segment
// is the position of its first record. A reading is live if its position is at
// or above one bound, which Split and the overflow of RAM only ever raise, and
// each queue is taken in the order of positions: that keeps the order of every
// stream.
//
// Limits remove the oldest segments that are not pinned, in the transaction of
// the commit that needs their room, which also has their ranges for the
// ledger. SQLite needs free blocks even to delete: on a full file system the
// log is emptied by a checkpoint first, then a ballast file is given up, which
// is made again as soon as there is room.
//
// # What is found after a power cut
//
// Every change is one SQLite transaction in WAL mode with synchronous=FULL;
// its commit point is the flush of its commit frame. A frame that is torn or
// missing fails the checksum chain of the log and the transaction has not
// happened. So of each of these, everything or nothing is found:
//
//	operation   before                   the transaction                        nil or the effect after
//	Open        last boot                boot row, marks of the last boot gone   Open returned
//	Append      record in RAM            segment, counters, marks                MaxLoss; strict: Append returned
//	Ack         segment                  row deleted, or bits of its ack row     the next commit, at most 5 s
//	Refuse      taken record             dead letter, ledger, bits               Refuse returned
//	eviction    segment                  row deleted, ledger                     the commit that needed room
//	ErrFull     nothing                  ledger                                  MaxLoss; strict: Append returned
//	Update      old values               new values, records appended by it      Update returned
//	AckLosses   ledger entry             row deleted                             the next commit, at most 5 s
//	Close       boot not ended           front, acks, marks, clean=1             Close returned
//
// A cut before the commit point of an Ack makes the records come again: QoS 1
// may deliver twice. A cut inside a checkpoint leaves the log, which is copied
// again. The names of new files are made durable by syncing the directory.
//
// Marks are the last durable sequence number of each stream; Previous reports
// them. After a clean end every hole in the numbers is in the ledger. After
// an unclean one only numbers above a mark can be missing.
//
// # When the storage fails
//
// A commit that fails acknowledges nothing. The connection is closed and
// opened again, and a checkpoint writes anew whatever is found, because the
// kernel may take pages for clean that it could not write. A counter that
// rises with each commit tells whether the failed one has happened all the
// same: then it is applied, otherwise it is repeated with the same segments
// under the same ids. Where that fails too the store is degraded: it goes on
// from RAM, bounded, and tries again after 1 s to 1 min.
//
// SQLite has no checksum of pages, so each segment has one. A segment that
// does not pass is removed and entered in the ledger. A database that SQLite
// finds damaged is set aside by the next Open, as one whose header is damaged;
// a file that never was a store is left alone and refused.
//
// # Goroutines
//
// Open starts the committer, Close waits for it. It is locked to its thread,
// so that the thread's I/O account counts what SQLite writes.
package buffer
