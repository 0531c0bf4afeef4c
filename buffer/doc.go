// Package buffer keeps whatever must survive a power cut in one SQLite file, the store: records
// that wait for delivery, the ledger of those that were lost, dead letters, and small values of
// other packages (Update). It knows nothing of sensors or MQTT: bodies are opaque. No other package
// touches the file.
//
// # Use
//
// Open the store, Append records, and Close it at the end. One goroutine delivers: it waits for
// Ready, calls Take for each Lane until that returns nothing, and passes every record that it took
// to exactly one of Ack, AckUnrouted, Refuse and Release. It reports the ledger in the same way,
// with TakeLosses, AckLosses and ReleaseLosses. A record that was taken but not settled when the
// program ends is delivered again by the next run, so a receiver must expect duplicates.
//
// # Building
//
// The package needs cgo, and the figures in its documentation were measured with these flags:
//
//	CGO_CFLAGS="-O2 -DHAVE_FDATASYNC=1 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_DQS=0 -DSQLITE_MAX_EXPR_DEPTH=0"
//	go build -tags sqlite_omit_load_extension
//
// The store is just as safe without HAVE_FDATASYNC, but then each commit also writes the file
// system's journal: about twice the bytes and flushes.
//
// # Words
//
//	record    one thing to deliver, of the Kind Events or Readings
//	item      a record in RAM
//	stream    the records of one sensor, or of one series of events, numbered 1, 2, 3 … in each run
//	segment   the records of one class that a commit stores as one row
//	class     the events, or the readings of one Priority; each has a table and a shelf
//	shelf     the part of a class that is in RAM
//	front     the segments that are in RAM only
//	unloaded  the segments that are on the card only
//	card      the block device below the store
//	queue     what waits in the store for delivery
//	Lane      one of the orders of delivery: the events, the live readings, or the backlog
//	taken     returned by Take and not settled yet; also "in flight" and, as no limit may remove it, "pinned"
//	ack row   a bit for each record of a stored segment of which some, but not all, are acknowledged
//	progress  the row that every commit writes: counters, and the mark of each stream
//	mark      the last durable sequence number of a stream
//	ledger    the list of what was removed unsent, or was delivered to nobody
//	run       one start of the program
//	boot      the number of a run in this file
//	kernel    one boot of the kernel: what a time since power-up refers to
//	bucket    a record that stands for several that were thinned
//	strict    a store whose MaxLoss is zero
//	ballast   a file that occupies space, to be given up when the file system is full
//
// # How a record travels
//
// Append puts a record into the front. A record that is acknowledged there is never written to the
// card. Otherwise the committer, the one goroutine that uses the database, writes the
// unacknowledged records of each class as one row, a segment, and flushes all classes at once. It
// starts early enough for the commit to be done before the oldest record is MaxLoss old, even if
// this commit is as slow as the slowest one of the last 30 to 60 minutes (CommitAfter).
//
// Pages are small, 512 bytes, because a commit writes every page that it changes: those of the
// segment, that of the progress, the first of the file, and now and then an interior page of a
// table. The write-ahead log is extended in steps, with zeros, and copied into the database between
// commits, so that no caller waits for either.
//
// Recently stored segments stay in RAM, within a bound; older ones are unloaded, and read when they
// are taken. One range of ids per class covers the unloaded segments, and counters that every
// commit stores say how many records they hold. So the memory needed, the time of Open and the time
// of the first Take do not depend on the size of the backlog.
//
// Each class has a table, a shelf and a front of its own. A class that no stream uses costs an
// empty table; each one in use adds a row to a commit. A higher priority is taken first; to make
// room, the lowest is removed first. A stream is in one class throughout a run.
//
// Positions number the records over the life of the file; the id of a segment is the position of
// its first record. Each class has a bound: a reading is live if its position is at or above it.
// The bound only rises: at each Split, when RAM overflows, and when dead letters are retried. Each
// lane is taken in the order of positions within a class, so a stream keeps its order within a
// lane. A dead letter that is retried gets a new position.
//
// Hold makes Take pass over some streams of a lane. Segments that hold nothing else are read once
// and then unloaded again. The range no longer covers them, and only the lowest of their ids is
// remembered per stream. When the stream is free, the range is extended down to it (hold.go). If
// such a segment has acknowledgements that are not stored, a commit stores them first.
//
// # Limits
//
// To make room, the oldest segments that are not pinned are removed. That happens in the
// transaction of the commit that needs the room, which also enters their records in the ledger. A
// segment in which every record has expired goes first, whatever the policy and the class. Any
// other reading that is older than the TTL of its stream is removed when Take comes to it. Age is
// measured by CLOCK_BOOTTIME within one boot of the kernel. For readings of earlier boots it
// follows from Options.PowerUpAge; if that does not know a boot, nothing of that boot expires. With
// the policy Thin, the oldest segments are first replaced by one with fewer records, and only then
// removed (thin.go).
//
// SQLite needs free blocks even to delete. On a full file system the log is first emptied by a
// checkpoint; if that is not enough, the ballast file is given up. It is made again as soon as
// there is room.
//
// # Identity
//
// A record is identified by (run, kind, stream, seq). The run is 12 hexadecimal digits, chosen at
// random when the program starts. So a number is never used twice, even if the file is copied,
// restored or lost, and nothing has to be written to ensure that. Every segment, dead letter and
// ledger entry carries its run; the checksum of a segment includes it.
//
// Each run has a row with what is not part of the identity: the boot, the gateway and the kernel
// boot that it began with, and whether it ended with Close. Previous is the row before this one. By
// this chain of runs a receiver finds out that a file was lost or that an older copy was restored.
//
// # What is found after a power cut
//
// Every change is one SQLite transaction in WAL mode with synchronous=FULL; its commit point is the
// flush of its commit frame. If a frame is torn or missing, the checksum chain of the log breaks
// there, and the transaction has not happened. If a frame is bad although two or more commits
// follow it, that is not a power cut but damage; Open checks for that itself (log.go). So each of
// these is found either whole or not at all:
//
//	operation   before                   the transaction                        durable
//	Open        last run                 run row, its first event               when Open returns
//	Append      record in RAM            segment, progress                      within MaxLoss; strict: when Append returns
//	Ack         segment                  row deleted, or bits of its ack row    with the next commit, at most 5 s later
//	Refuse      taken record             dead letter, ledger, bits              when Refuse returns
//	eviction    segment                  row deleted, ledger                    with the commit that needs the room
//	thinning    segments                 rows deleted, their buckets, ledger    with the commit that needs the room
//	expiry      record                   bits of its ack row, ledger            within MaxLoss after Take came to it
//	RetryDead   dead letter              deleted there, segment                 when RetryDead returns
//	DropDead    dead letter              deleted                                when DropDead returns
//	set aside   damaged file             none: it is renamed, see below         with the run row of the new file
//	salvage     rows of the old file     segments, how far it came              after each step
//	ErrFull     nothing                  ledger                                 within MaxLoss; strict: when Append returns
//	Update      old values               new values, records appended by it     when Update returns
//	unrouted    loss in RAM              ledger                                 with a commit, at most 5 min later
//	AckLosses   ledger entry             row deleted                            with the next commit, at most 5 s later
//	Close       run not ended            front, acks, progress, clean=1         when Close returns
//
// "When it returns" means: with a nil error. While the storage fails nothing becomes durable, and
// the times do not hold.
//
// "unrouted" are the records that the broker took although nobody had subscribed (AckUnrouted). A
// gateway whose readings nobody wants does not write for them alone. A power cut before the commit
// loses no record, only these entries of the ledger.
//
// After a power cut before the commit point of an Ack the records are taken and delivered again, as
// QoS 1 permits. After one inside a checkpoint the log is still there and is copied again. The
// names of new files are made durable by syncing the directory.
//
// Previous reports the marks of the run that committed last. After a clean end every missing number
// is in the ledger. After an unclean one, two kinds of numbers can be missing from it: those above
// a mark, and those below it that became unrouted in the last 5 minutes.
//
// # When the storage fails
//
// A commit that fails acknowledges nothing. The connection is closed and opened again, and a
// checkpoint writes again whatever is found, because the kernel may mark pages as clean although it
// failed to write them. A counter that rises with each commit shows whether the failed one has
// happened after all: if so, it is applied; otherwise it is repeated with the same segments under
// the same ids. If that fails too, the store is degraded: it works from RAM, within bounds, and
// tries again after 1 s, then after longer pauses of up to 1 min.
//
// # Damage
//
// SQLite has no page checksums, so each segment has one. A segment whose checksum is wrong is
// removed and entered in the ledger.
//
// A database that SQLite finds damaged, at Open or later, is set aside: it is renamed, and a new
// one takes its place. A marker file beside it, with the new name, exists from before the rename
// until the new store is made: after a power cut in between, the next Open completes the work. If
// the damage is found at Open, the new store gets a new ID, and its boots go on counting where the
// old ones ended, as on a cloned card. If it is found in use, the new store keeps ID, run and
// numbers, which are in RAM, and everything in RAM is stored again.
//
// The first transaction of the new store takes over the runs, the marks, the ledger and the values
// of Update. The records whose checksum is right follow in the background, under their old
// identity, some segments in each transaction (salvage); if the program ends before that is done,
// the next Open goes on with it. Take does not pass them: it waits for records that are older than
// what it would return. In the end the ledger gets the number of records that were not found, if it
// is known, and for every stream of the last run a range with a Count of zero: any of these numbers
// may be missing. The old file is kept if it fits into MaxBytes together with the store; until
// salvage ends both exist.
//
// Small pages put more records at risk from one bad block: with one block of 4 KiB in 17 destroyed,
// stores of segments of 20 readings of 500 bytes lost 18 % of them (11 to 30 %, depending on where
// the blocks were); with pages of 4 KiB they lost 11 %. And if a card garbles the block of the log
// that it was writing when its power failed, the last commits that share the block are lost with
// it, up to four of one reading each; SQLite assumes that a storage device does not do that.
//
// A file that never was a store is refused and not changed.
//
// # Goroutines
//
// Open starts the committer, and Close waits for it. It is locked to its thread, so that the I/O
// account of the thread counts what SQLite writes.
package buffer
