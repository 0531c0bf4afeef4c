// Package buffer keeps whatever must survive a power cut in one SQLite file, the store: records
// that wait for delivery, the ledger of those that were lost, dead letters, and small values for
// other packages (Update). It knows nothing of sensors or MQTT: bodies are opaque. Everything that
// touches the file belongs here, and nothing else does.
//
// # Building
//
// The package needs cgo, and its measured costs need these flags:
//
//	CGO_CFLAGS="-O2 -DHAVE_FDATASYNC=1 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_DQS=0 -DSQLITE_MAX_EXPR_DEPTH=0"
//	go build -tags sqlite_omit_load_extension
//
// Without HAVE_FDATASYNC it is as safe, but each commit also writes the file system's journal:
// about twice the bytes and flushes.
//
// # Words
//
//	record    one thing to deliver, of the Kind Events or Readings
//	item      a record in RAM
//	stream    what numbers its records 1, 2, 3 …: a sensor, or a series of events
//	segment   the records that one commit stores as one row
//	class     the events, or the readings of one Priority; each has a table and a shelf
//	shelf     the part of a class that is in RAM
//	front     the segments that are in RAM only
//	gap       the range of ids that covers the segments that are on the disk only
//	queue     what waits in the store
//	Lane      what Take takes from: the events, the live readings, or the backlog
//	ledger    the list of what was removed unsent, or that nobody got
//	run       one start of the program
//	boot      the number of a run in this file
//	kernel    one boot of the kernel: what a time since power-up refers to
//	bucket    a record that stands for several that were thinned
//
// # The way of a record
//
// Append puts a record into the front. If it is acknowledged there, it never reaches the card.
// Otherwise it is written by the committer, the one goroutine that uses the database. The committer
// writes the unacknowledged records of each class as one row, a segment, with one flush. It starts
// early enough for the commit to be done before the oldest record is MaxLoss old, even if this
// commit is as slow as the slowest commit of the last half hour or more (CommitAfter).
//
// Pages are small, 512 bytes, because a commit writes every page that it changes: those of the
// segment, that of the progress, the first of the file, and now and then one above the segments.
// The log is made longer in steps, with zeros, and copied into the database between commits:
// neither is left to a commit that somebody waits for.
//
// Recently stored segments stay in RAM, within a bound; older ones are read when they are taken.
// What is only on the disk is described by one range of ids per class, the gap, and by counters
// that every commit stores. So neither memory nor the time of Open and of the first batch depends
// on the backlog.
//
// Each class has a table, a shelf and a front of its own. A class that no stream uses costs an
// empty table; one that is used makes a commit a row longer. A higher priority is taken first; to
// make room, the lowest is removed first. A stream is in one class throughout a run.
//
// Positions number the records over the life of the file; the id of a segment is the position of
// its first record. A reading is live if its position is at or above one bound of its class, which
// only ever rises, by Split and when RAM overflows. Each lane is taken in the order of positions:
// that keeps the order of every stream. A dead letter that is retried gets a new position.
//
// Hold makes Take pass over some streams of a lane. Segments that hold nothing else are read once
// and then left to the disk again. The gap does not cover them any more, and only the lowest of
// them is remembered per stream. When the stream is free, the gap is extended down to it (hold.go).
// If there are acknowledged records in such segments, a commit stores their bits first.
//
// # Limits
//
// Limits remove the oldest segments that are not pinned. That happens in the transaction of the
// commit that needs their room, which also enters their ranges in the ledger. What is wholly
// expired goes first, whatever the policy and the class. Otherwise a reading older than the TTL of
// its stream is removed when Take comes to it. Age is measured by CLOCK_BOOTTIME within one boot of
// the kernel; the age of readings of earlier ones follows from Options.PowerUpAge, and if that does
// not know it, nothing of that boot expires. The policy Thin replaces the oldest segments by one of
// fewer records before anything is removed (thin.go).
//
// SQLite needs free blocks even to delete. On a full file system the log is emptied by a checkpoint
// first; then a ballast file is given up, which is made again as soon as there is room.
//
// # Identity
//
// A record is identified by (run, kind, stream, seq). A run is one start of the program: 12
// hexadecimal digits, made at random in RAM. So a file that is copied, put back or lost cannot make
// a number come again, and nothing has to be written for that. Every segment, dead letter and
// ledger entry carries its run, a segment under its checksum.
//
// The row of a run has what records do not need to be identified: the boot, which counts the runs
// in this file, the gateway and the kernel boot that it began with, and whether it ended with
// Close. Previous is the row before this one: the chain of runs by which a receiver finds out that
// a file was lost or that an older copy was put back.
//
// # What is found after a power cut
//
// Every change is one SQLite transaction in WAL mode with synchronous=FULL; its commit point is the
// flush of its commit frame. If a frame is torn or missing, the checksum chain of the log breaks
// there and the transaction has not happened. If a frame fails although two commits or more follow
// it, that is not a power cut but damage; Open checks for that itself (log.go). So of each of
// these, everything or nothing is found:
//
//	operation   before                   the transaction                        nil or the effect after
//	Open        last run                 run row, its first event               Open returned
//	Append      record in RAM            segment, progress                       MaxLoss; strict: Append returned
//	Ack         segment                  row deleted, or bits of its ack row     the next commit, at most 5 s
//	Refuse      taken record             dead letter, ledger, bits               Refuse returned
//	eviction    segment                  row deleted, ledger                     the commit that needed room
//	thinning    segments                 rows deleted, their buckets, ledger     the commit that needed room
//	expiry      record                   bits of its ack row, ledger             MaxLoss after Take came to it
//	RetryDead   dead letter              deleted there, segment                  RetryDead returned
//	DropDead    dead letter              deleted                                 DropDead returned
//	set aside   damaged file             none: it is renamed, see below          the new file's run row
//	salvage     rows of the old file     segments, how far it came               each step
//	ErrFull     nothing                  ledger                                  MaxLoss; strict: Append returned
//	Update      old values               new values, records appended by it      Update returned
//	unrouted    loss in RAM              ledger                                  a commit, at most 5 min
//	AckLosses   ledger entry             row deleted                             the next commit, at most 5 s
//	Close       run not ended            front, acks, progress, clean=1          Close returned
//
// "unrouted" are the ranges that the broker took although nobody had subscribed (AckUnrouted). A
// gateway whose readings nobody wants does not write for that alone. A cut before the commit loses
// no record, only these entries of the ledger.
//
// After a cut before the commit point of an Ack the records come again: QoS 1 may deliver twice. A
// cut inside a checkpoint leaves the log, which is copied again. The names of new files are made
// durable by syncing the directory.
//
// Marks are the last durable sequence number of each stream of the run that committed last;
// Previous reports them. After a clean end every hole in the numbers is in the ledger. After an
// unclean one only numbers above a mark can be missing from it, and of those below it the unrouted
// ones of the last 5 minutes.
//
// # When the storage fails
//
// A commit that fails acknowledges nothing. The connection is closed and opened again, and a
// checkpoint writes again whatever is found, because the kernel may take pages for clean that it
// could not write. A counter that rises with each commit shows whether the failed one has happened
// after all: if so, it is applied; otherwise it is repeated with the same segments under the same
// ids. If that fails too, the store is degraded: it goes on from RAM, within bounds, and tries
// again after 1 s to 1 min.
//
// # Damage
//
// SQLite has no checksum of pages, so each segment has one. A segment that does not pass is removed
// and entered in the ledger.
//
// A database that SQLite finds damaged, at Open or later, is renamed, and a new one takes its
// place. A mark beside it, with the new name, exists from before the rename until the new store is
// made: after a cut in between the next Open goes on. If the damage is found at Open, the new store
// gets a new ID, and its boots go on counting where the old ones ended, as on a cloned card. If it
// is found in use, the new store keeps ID, run and numbers, which are in RAM, and everything in RAM
// is stored again.
//
// The first transaction of the new store takes over the runs, the marks, the ledger and the values
// of Update. The records follow in the background under their old identity, those whose checksum is
// right, some segments in each transaction; if a cut ends that, the next Open goes on. Take waits
// for what is older than what it would return. In the end the ledger has the number of records that
// were not found, if it is known, and a range with a Count of zero for every stream of the last
// run: any of these numbers may be missing. The old file is kept if it fits into MaxBytes together
// with the store; until salvage ends both exist.
//
// Small pages lie closer together: with one block of 4 KiB in 17 destroyed, segments of 20 readings
// of 500 bytes lost 18 % (11 to 30 %, depending on where the blocks were), whereas with pages of 4
// KiB they lost 11 %. And if a card garbles the block of the log that it was writing when its power
// failed, the last commits that share the block are lost with it, up to four of one reading; SQLite
// takes for granted that a disk does not do that.
//
// A file that never was a store is left alone and refused.
//
// # Goroutines
//
// Open starts the committer, and Close waits for it. It is locked to its thread, so that the I/O
// account of the thread counts what SQLite writes.
package buffer
