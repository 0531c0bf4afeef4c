// Package verify proves from what a subscriber received that nothing is missing: per run and sensor
// it keeps the ranges of sequence numbers that arrived and holds them against the loss ledger
// (events/loss) and against how each run ended (events/boot). A run is one start of a gateway's
// program. It trusts nothing else: what the receiver has beats the ledger. The ledger itself is
// held against the numbers of the events.
//
// After a clean end every number up to the sensor's last one must have arrived or be in the ledger.
// After an unclean end the same holds up to what was durable; what was above that may be missing
// within max_loss. A run whose end is not known yet is complete so far if it has no hole below its
// highest number.
//
// Runs have no order of their own; each boot event names the run before it in its store, which
// makes them a chain. Of each gateway one run, the newest, may be named by none. Another one that
// none names is a store that was lost, or that was overwritten with an older copy: then two runs
// name the same one. A card that was cloned into another gateway makes a fork as well, but no two
// ends of one gateway.
//
// The numbers come from a broker (Watch), from files of JSON lines (Lines), or from a table, with
// the SQL of docs/verify.md. What gateways send is read here and judged nowhere; what a reading
// says is none of this package's business.
package verify
