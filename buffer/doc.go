// Package buffer keeps in one SQLite file, the store, whatever must survive a power cut: records
// that wait for delivery, the ledger of records that were lost, dead letters, and small values of
// other packages (Update). It has no notion of sensors or of MQTT: bodies are opaque. All code that
// accesses the file is in this package, and nothing else is.
//
// # Use
//
// One goroutine or many call Append. Another delivers: it waits for Ready, calls Take for each lane
// until nothing comes, and ends each record with Ack, AckUnrouted, Refuse or Release. Split and
// Hold steer what Take returns; TakeLosses and AckLosses are Take and Ack for the ledger.
//
//	s, err := buffer.Open(ctx, "/var/lib/app/queue.db", buffer.Options{MaxLoss: time.Minute})
//	…
//	seq, err := s.Append(ctx, buffer.Readings, "boiler", up, body)
//	…
//	for range s.Ready() { // it is never closed: also watch a context
//		for r := s.Take(buffer.LiveLane, 100, 64<<10); len(r) > 0; r = s.Take(buffer.LiveLane, 100, 64<<10) {
//			if deliver(r) != nil {
//				s.Release(r)
//				break // and call Take again when the receiver is back
//			}
//			s.Ack(r)
//		}
//	}
//
// # Building
//
// The package needs cgo, and the costs that are documented were measured with these flags:
//
//	CGO_CFLAGS="-O2 -DHAVE_FDATASYNC=1 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_DQS=0 -DSQLITE_MAX_EXPR_DEPTH=0"
//	go build -tags sqlite_omit_load_extension
//
// Without HAVE_FDATASYNC it is as safe, but each commit also writes the file system's journal:
// about twice the bytes and flushes.
//
// # Terms
//
//	record       one thing to deliver, of the Kind Events or Readings
//	stream       a series of records, numbered 1, 2, 3 …: those of one sensor, or of one event type
//	lane         one of the three orders in which Take returns records: events, live, backlog
//	front        the records that are in RAM and not committed yet
//	stored       committed to the file
//	durable      stored, so that a power cut does not lose it
//	acknowledged ended by Ack, AckUnrouted or Refuse, or removed
//	in flight    taken, and neither acknowledged nor released
//	segment      one row of the file: the records of one class that one commit stored
//	class        the events, or the readings of one Priority
//	queue        the records that wait in the store
//	dead letter  a record that the receiver refused, kept for a person to decide
//	ledger       the list of Losses: records that were removed unsent, or that nobody received
//	bucket       a record that stands for several that were thinned (Options.Thin)
//	run          one start of the program, from Open to its end
//	boot         the number of a run within its store
//	kernel boot  one boot of the kernel; a time since power-up refers to it
//	card         the block device below the store
//
// # Order
//
// Each stream is taken in the order in which its records were appended; each lane has its records
// in the order of Record.Pos, within one priority. A higher priority is taken first, and a lower
// one is removed first if a limit needs room. A stream keeps its priority throughout a run.
//
// A reading is live if it was appended after the last Split. When RAM cannot hold the live
// readings, the older ones become backlog; backlog never becomes live again. A dead letter that is
// retried gets a new position.
//
// # Commits
//
// A record that is acknowledged before its commit is never written to the card. All others are
// committed early enough to be durable when the oldest is MaxLoss old, even if the commit takes as
// long as the slowest of the last half hour or more (CommitAfter). Recently stored records stay in
// RAM, within a bound; older ones are read when they are taken. Neither memory nor the time that
// Open and the first Take need depends on the length of the backlog.
//
// # Limits
//
// If MaxBytes or MinFree is reached, the policy (Options.WhenFull) decides. DropOldest and Thin
// remove the oldest segments of the lowest priority that have no record in flight. The commit that
// needs the room removes them and enters their ranges in the ledger, in one transaction. A reading
// never displaces one of a higher priority. Events are removed only if they use more than what is
// reserved for them.
//
// Segments of which all records are expired are removed first, whatever the policy and the class.
// Other expired readings are removed when Take comes to them. Age is measured by CLOCK_BOOTTIME
// within one kernel boot. For readings of earlier kernel boots it follows from Options.PowerUpAge;
// nothing of a kernel boot that this does not know expires.
//
// # Identity
//
// A record is identified by (run, kind, stream, seq). The identity of a run is 12 hexadecimal
// digits, made at random in RAM when the program starts, and not read from the file. So no number
// is used twice even if the file is copied, restored or lost, and a new run needs no write for it.
// Every record, dead letter and ledger entry carries its run; the checksum of a segment covers it.
//
// The row of a run has the rest: its boot, its gateway and kernel boot, and whether it ended with
// Close. Previous is the row of the run before: by this chain of runs a receiver finds out that a
// file was lost or that an older copy was restored.
//
// # Durability
//
// Every change is one SQLite transaction in WAL mode with synchronous=FULL: after a power cut it is
// found whole or not at all. It is durable:
//
//	operation   before                   in one transaction                     durable when
//	Open        last run                 run row, its first event               Open has returned
//	Append      record in RAM            segment, progress                      MaxLoss has passed; if it is 0: Append has returned
//	Ack         segment                  row deleted, or bits of its ack row    the next commit is done, at most 5 s later
//	Refuse      taken record             dead letter, ledger, bits              Refuse has returned
//	eviction    segment                  row deleted, ledger                    the commit that needed room is done
//	thinning    segments                 rows deleted, their buckets, ledger    the commit that needed room is done
//	expiry      record                   bits of its ack row, ledger            MaxLoss has passed since Take came to it
//	RetryDead   dead letter              deleted there, segment                 RetryDead has returned
//	DropDead    dead letter              deleted                                DropDead has returned
//	set aside   damaged file             none: it is renamed, see Damage        the run row of the new file is
//	salvage     rows of the old file     segments, how far it came              each step is done
//	ErrFull     nothing                  ledger                                 MaxLoss has passed; if it is 0: Append has returned
//	Update      old values               new values, records appended by it     Update has returned
//	unrouted    loss in RAM              ledger                                 a commit is done, at most 5 min later
//	AckLosses   ledger entry             row deleted                            the next commit is done, at most 5 s later
//	Close       run not ended            front, acks, progress, clean=1         Close has returned
//
// "Has returned" means without an error. The progress is a row of counters and marks, and the bits
// of an ack row are the acknowledged records of a segment. "unrouted" are the ranges that the
// broker accepted although nobody had subscribed (AckUnrouted). A gateway whose readings nobody
// wants does not write for that alone; a power cut before the commit loses these ledger entries and
// no record.
//
// After a power cut before the commit of an Ack the records are delivered again, which QoS 1
// permits.
//
// Previous reports the last durable number of each stream of the run that committed last, its
// marks. After a clean end the ledger has every number that is missing. After an unclean end it may
// lack numbers above the mark, and of those below the mark only the unrouted ones of the last 5
// minutes.
//
// # When the storage fails
//
// A commit that fails acknowledges nothing. It is repeated once on a new connection. If that fails
// too, the store is degraded (Stats.Degraded): it works from RAM, within bounds, and tries again
// after 1 s, then after growing pauses of up to 1 min. Methods that wait for a commit then return
// ErrNotDurable. A record is stored once, even if the failed commit took effect after all.
//
// # Damage
//
// Each segment has a checksum, because SQLite has none. A segment that fails it is removed and
// entered in the ledger.
//
// A database that SQLite finds damaged, at Open or later, is renamed, and a new one takes its
// place. If the damage is found at Open, the new store gets a new ID, and its boots continue those
// of the old one, as on a cloned card. If it is found in use, the new store keeps ID, run and
// numbers, which are in RAM, and everything in RAM is stored again.
//
// The first transaction of the new store takes over the runs, the marks, the ledger and the values
// of Update. The salvage of the records follows in the background: those with a correct checksum
// keep their identity. If a power cut interrupts it, the next Open continues it. Until a record is
// salvaged, Take does not return any that belong after it. In the end the ledger has the number of
// records that were not found, if it is known, and for every stream of the last run a range with a
// Count of zero: any number in it may be missing. The old file is kept if it fits into MaxBytes
// together with the store; until the salvage ends both exist.
//
// The damage that one destroyed block does is larger with the small pages of this store: with one
// block of 4 KiB in 17 destroyed, segments of 20 readings of 500 bytes lost 18 % (11 to 30 %,
// depending on where the blocks were), but 11 % with pages of 4 KiB. If a card garbles the block of
// the log that it was writing when its power failed, the last commits that share the block are lost
// with it, up to four of one reading each; SQLite assumes that a disk does not do that.
//
// A file that never was a store is left alone, and Open returns ErrNotDatabase.
//
// # Goroutines
//
// All methods may be called concurrently. Open starts the committer, the one goroutine that
// accesses the database, and Close waits for it. Functions of the caller that run on it (those
// given to Update and Each, Options.First and Options.Thin) hold up all commits and must not call
// the Store.
package buffer

// What follows is for those who change the package.
//
// # Terms of the code
//
//	item      a record in RAM
//	shelf     the part of a class that is in RAM; each class has one, and a table
//	front     the segments that are in RAM only
//	gap       the range of ids that covers the segments of a class that are not in RAM
//
// # The way of a record
//
// Append puts a record into the front. The committer writes the unacknowledged records of each
// class as one row, a segment, with one flush.
//
// Pages are small, 512 bytes, because a commit writes every page that it changes: those of the
// segment, that of the progress, the first of the file, and now and then one above the segments.
// The log is extended in steps, with zeros, and copied into the database between commits: neither
// is left to a commit that somebody waits for.
//
// Segments that are not in RAM are described by one range of ids per class, the gap, and by
// counters that every commit stores.
//
// Each class has a table, a shelf and a front of its own. A class that no stream uses costs an
// empty table; one that is used makes a commit a row longer.
//
// Positions number the records over the life of the file; the id of a segment is the position of
// its first record. A reading is live if its position is at or above one bound of its class, which
// only ever rises, by Split and when RAM overflows. Each lane is taken in the order of positions:
// that keeps the order of every stream.
//
// Hold makes Take pass over some parts of a lane, which are streams, or what these have of one boot
// of the kernel. Segments that hold nothing else are read once
// and then dropped from RAM again. The gap does not cover them any more, and only the lowest of
// them is remembered per part. When the part is free, the gap is extended down to it (hold.go).
// If there are acknowledged records in such segments, a commit stores their bits first.
//
// # Room
//
// SQLite needs free blocks even to delete. On a full file system the log is emptied by a checkpoint
// first; then a ballast file is given up, which is made again as soon as there is room. The policy
// Thin replaces the oldest segments by one of fewer records before anything is removed (thin.go).
//
// # Power cuts
//
// The commit point of a transaction is the flush of its commit frame. If a frame is torn or
// missing, the checksum chain of the log breaks there and the transaction has not happened. If a
// frame fails although two commits or more follow it, that is not a power cut but damage; Open
// checks for that itself (log.go). A cut inside a checkpoint leaves the log, which is copied again.
// The names of new files are made durable by syncing the directory.
//
// While a damaged database is replaced, a mark beside it, with the new name, exists from before the
// rename until the new store is made: after a cut in between the next Open continues. Salvage
// copies some segments in each transaction.
//
// # A failed commit
//
// The connection is closed and opened again, and a checkpoint writes again whatever is found: after
// a failed write the kernel may mark pages as clean although they never reached the card. A counter
// that rises with each commit shows whether the failed one has happened after all: if so, it is
// applied; otherwise it is repeated with the same segments under the same ids.
//
// # The thread
//
// The committer is locked to its thread, so that the I/O account of the thread counts what SQLite
// writes.
