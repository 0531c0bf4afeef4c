// Package shadow is the state machine of the device shadow: the cloud's desired document on one
// side, the settings in force on the other, and the reported document, which says to the cloud what
// is in force and what was rejected.
//
// # Design
//
// The configuration file gives every setting a value (the base). A desired document lies over it:
// what it names, what [shadow] allow lists and what passes the checks is in force and wins over the
// file until it is cleared; everything else stands in rejected with its reason. The document is
// always whole, so the settings in force are a function of base and document: nothing is patched,
// and after a restart, or with another configuration, they are computed again. A version that is
// not above the last one is ignored, unless a platform put the document together (Adopt). The
// accepted document is kept in the store, committed before it is applied; the reported version
// rises whenever the content of the reported document changes.
package shadow
