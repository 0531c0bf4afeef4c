// Package demo shows the whole way of a reading on one machine that has nothing: it starts an MQTT
// broker inside the process, a gateway with this machine's own sensors and simulated ones, and a
// separate subscriber, cuts the link between gateway and broker for a while, and lets the
// subscriber's view, held against the gateway's own record of how the run ended, give the verdict.
//
// The gateway here is the product's, unchanged; what it is not given is a way to know that this is
// a demo.
package demo
