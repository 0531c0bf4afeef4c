// Package verify proves from what a subscriber received that nothing is missing: per gateway, store, boot and sensor it
// keeps the ranges of sequence numbers that arrived and holds them against the loss ledger (events/loss) and against how
// each boot ended (events/boot). It trusts nothing else: what the receiver has beats the ledger.
//
// After a clean end every number up to the sensor's last one must have arrived or be in the ledger. After an unclean end
// the same holds up to what was durable; what was above that may be missing within max_loss. A boot whose end is not
// known yet is complete so far if it has no hole below its highest number.
package verify
