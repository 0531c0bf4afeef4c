// Package command is the state machine of remote commands: a command runs at most once and is
// answered at least once.
//
// # Design
//
// The key of a command is its name and id. Before the broker gets its PUBACK the command
// stands in the ledger, a bucket of the store, committed: so a repeat, also one after a restart,
// finds it and gets the recorded reply instead of a second run. The reply is appended to the events
// lane in the same transaction that ends the ledger entry. What stands in the ledger without an end
// when the program starts was interrupted and is answered so; it never runs again.
//
//	new ──Accept──► accepted (committed, then PUBACK) ──worker──► running ──End──► ended (reply committed with it)
//	                   └───────────── program ended ──► interrupted at the next start
//
// Commands that only look (ping, read, diag) may come without an id; then they leave no ledger
// entry. Of the commands with the same name one runs at a time, within its timeout; a few more may
// wait. What may not run is answered "rejected" with a stable code: malformed, too-large, retained,
// unknown, not-allowed, id-missing, id-reused, busy, expired, ledger-full (no entry of this name
// may be forgotten yet), store (the ledger cannot be written).
package command
