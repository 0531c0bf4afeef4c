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
// the flash. Otherwise the committer, the one goroutine that uses the database,
// starts so long before the oldest record is MaxLoss old that the commit will
// be done by then, by the slowest of the last half hour at least (CommitAfter),
// and writes the unacknowledged records of each class as one row, a segment,
// with one flush. Pages are small, 512 bytes,
// because a commit writes every page that it changes: the segment's, that of
// the progress, the first of the file, and now and then one above the segments.
// The log is made longer in steps, with zeros, and copied into the database
// between commits: neither is left to a commit that somebody waits for.
// Recently stored segments stay in RAM, bounded; older ones are read when they
// are taken. What lies only on the disk is described by one range of ids per
// class and by counters that every commit stores, so neither memory nor the
// time of Open and of the first batch depends on the backlog.
//
// Classes are the events and the readings of each priority. Each has a table,
// a queue and a front of its own: a class that no stream uses costs an empty
// table, one that is used makes a commit a row longer. A higher priority is
// taken first; to make room the lowest is removed first. A stream is in one
// class throughout a run.
//
// Positions number the records over the life of the file; the id of a segment
// is the position of its first record. A reading is live if its position is at
// or above one bound of its class, which Split and the overflow of RAM only
// ever raise, and each queue is taken in the order of positions: that keeps the
// order of every stream. A dead letter that is retried gets a new position.
//
// Hold makes Take pass over some streams of a queue. Segments that hold nothing
// else are read once and left to the disk again: the range above does not cover
// them any more, and per stream only the lowest of them is remembered, to which
// the range reaches again when the stream is free (hold.go). Where acknowledged
// records lie among them a commit stores the bits first.
//
// Limits remove the oldest segments that are not pinned, in the transaction of
// the commit that needs their room, which also has their ranges for the
// ledger. What is wholly expired goes first, whatever policy and class; else a
// reading older than its stream's TTL is removed when Take comes to it. Age is
// that of CLOCK_BOOTTIME in one kernel boot; of earlier ones Options.PowerUpAge
// must tell, otherwise it is unknown and nothing expires. The policy Thin
// replaces the oldest segments by one of fewer records before anything is
// removed (thin.go). SQLite needs free blocks even to delete: on a full file system the
// log is emptied by a checkpoint first, then a ballast file is given up, which
// is made again as soon as there is room.
//
// # Identity
//
// A record is (run, kind, stream, seq). A run is one start of the program, 12
// hexadecimal digits made at random in RAM: a file that is copied, put back or
// lost cannot make a number come again, and nothing has to be written for
// that. Every segment, dead letter and entry of the ledger carries its run, a
// segment under its checksum. The row of a run has what they do not need to be
// identified: the boot, which counts the runs in this file, the gateway and the
// kernel boot that it began with, and whether it ended with Close. Previous is
// the row before this one: the chain of runs by which a receiver finds out that
// a file was lost or that an older copy was put back.
//
// # What is found after a power cut
//
// Every change is one SQLite transaction in WAL mode with synchronous=FULL;
// its commit point is the flush of its commit frame. A frame that is torn or
// missing fails the checksum chain of the log and the transaction has not
// happened. A frame that fails although two commits or more lie behind it is no
// power cut but damage, which Open looks for itself (log.go). So of each of these, everything or nothing is found:
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
// "unrouted" are the ranges that the broker took and nobody got, AckUnrouted: a
// gateway whose readings nobody wants does not write for that alone. A cut
// before the commit loses only that the ledger tells of them.
//
// A cut before the commit point of an Ack makes the records come again: QoS 1
// may deliver twice. A cut inside a checkpoint leaves the log, which is copied
// again. The names of new files are made durable by syncing the directory.
//
// Marks are the last durable sequence number of each stream of the run that
// committed last; Previous reports them. After a clean end every hole in the numbers is in the ledger. After
// an unclean one only numbers above a mark can be missing, and of those below it
// what nobody got in the last 5 minutes.
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
// # Damage
//
// SQLite has no checksum of pages, so each segment has one. A segment that
// does not pass is removed and entered in the ledger. A database that SQLite
// finds damaged, at Open or later, is renamed, and a new one takes its place. A
// mark beside it that has the new name is there from before the rename until
// the new store is made: after a cut in between the next Open goes on. Found at Open, the new store gets a new ID, and its boots go on counting
// where the old ones ended, as on a cloned card; found in use, it keeps ID,
// run and numbers, which are in RAM, and everything in RAM is stored again.
//
// The first transaction of the new store takes over the runs, the marks, the
// ledger and the values of Update. The records follow in the background under
// their old identity, those whose checksum is right, some segments in each
// transaction; where that ends because of a cut, the next Open goes on. Take
// waits for what is older than what it would return. In the end the ledger has
// the number of records that were not found, where it is known, and a range
// with a Count of zero for every stream of the last run: any of these numbers
// may be missing. The old file is kept if it fits into MaxBytes together with
// the store; until salvage ends both exist.
//
// Small pages lie closer together: with one block of 4 KiB in 17 destroyed,
// segments of 20 readings of 500 bytes lost 18 % (11 to 30 %, by where the
// blocks were) where pages of 4 KiB lost 11 %. And where a card garbles the
// block of the log in which it was writing when its power failed, the last
// commits that share the block are lost with it, up to four of one reading;
// SQLite takes for granted that a disk does not do that.
//
// A file that never was a store is left alone and refused.
//
// # Goroutines
//
// Open starts the committer, Close waits for it. It is locked to its thread,
// so that the thread's I/O account counts what SQLite writes.
package buffer
