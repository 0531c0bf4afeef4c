// Package platform says what a dialect is: the topics and documents by which a platform steers a
// gateway. These are the settings that it wants and those in force, and its commands and their
// replies. Everything else is the same for all of them: lanes, batches, pacing, refusals, the
// store, the shadow's state machine and the ledger of commands. Telemetry, status, health and
// events stay on the gateway's own topics.
//
// A platform is a folder here and a line of the table in platforms. It has limits that its broker
// does not announce (config.Platform), a dialect, or both. The gateway's own contract is the
// dialect plain.
//
// # Another platform
//
// ThingsBoard's gateway API would be one like this. Subscriptions: v1/gateway/attributes,
// v1/gateway/attributes/response and v1/gateway/rpc. Connected asks for the shared attributes
// (v1/gateway/attributes/request), Receive puts them and their changes together to a whole wish for
// Parts.Adopt, as package aws does with its deltas; their version is a hash. A call on
// v1/gateway/rpc becomes a command.Request with Answer v1/gateway/rpc, its id and device as
// Correlation, and Reply puts both back around the result. Report publishes client attributes.
// Readings would need a format of its own (payload) and one topic for all sensors
// (contract.Topics).
package platform
