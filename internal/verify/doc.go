// Package verify proves from what a subscriber received that nothing is missing: per gateway, store, boot and sensor it
// keeps the ranges of sequence numbers that arrived and holds them against the loss ledger (events/loss) and against how
// each boot ended (events/boot). It trusts nothing else: what the receiver has beats the ledger. The ledger itself is held
// against the numbers of the events.
//
// After a clean end every number up to the sensor's last one must have arrived or be in the ledger. After an unclean end
// the same holds up to what was durable; what was above that may be missing within max_loss. A boot whose end is not
// known yet is complete so far if it has no hole below its highest number; where a later boot of the store is known, that one
// has to tell.
//
// The numbers come from a broker (Watch), from files of JSON lines (Lines), or from a table, with the SQL of docs/verify.md. What
// gateways send is read here and nowhere judged; what a reading says is none of this package's business.
package verify
