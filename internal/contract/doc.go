// Package contract is what fieldgate and the cloud have agreed on: the names of the topics and the
// form of every document. Telemetry is rendered by package payload, in several formats; Telemetry
// is the one of them that the commands of this machine print and that a receiver may decode. Names
// and fields cannot change once they are out; docs/topics.md describes them for the operator and
// docs/schema holds their JSON Schemas, against which the tests check what is sent.
//
// The documents that only the commands on the same machine get over the control socket are here as
// well (local.go), and so is the rule of P/status: when another client has overwritten it, and when
// that is another gateway of the same name (Presence).
//
// It is a leaf: it knows nothing of the parts that fill the documents.
package contract

// Version is the "v" of every document.
const Version = 1
