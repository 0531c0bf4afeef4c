// Package examples holds programs that show package mqtt at work with any broker: tls,
// devicecontrol, subscriptions and parallel. Each is one file and says in its first comment what it
// shows and how to run it.
//
// What may live here: programs that a newcomer reads from top to bottom. What may not: anything
// that another package imports.
package examples
