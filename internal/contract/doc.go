// Package contract is what fieldgate and the cloud have agreed on: the names of the topics and the
// form of every document but telemetry (package payload renders that). Names and fields cannot
// change once they are out; docs/topics.md describes them for the operator and docs/schema holds
// their JSON Schemas, against which the tests check what is sent.
//
// It is a leaf: it knows nothing of the parts that fill the documents.
package contract

// Version is the "v" of every document.
const Version = 1
