package mqtt

import "time"

// An EventKind is what happened to the client's connection.
type EventKind int

// The kinds of event, in the order in which they occur on one connection. Every attempt begins with
// Connecting and ends with Disconnected; the others do not always occur.
const (
	// Connecting: an attempt begins at Event.URL.
	Connecting EventKind = iota + 1
	// SessionLost: the broker no longer has the session that the client wanted to resume. Messages
	// that were in flight are published again as new ones. Subscriptions other than
	// Config.Subscriptions are lost.
	SessionLost
	// Connected: the broker accepted the client and answered Config.Subscriptions. Event.Negotiated
	// is set.
	Connected
	// TakenOver: another client connected with the same client id. Event.Err is set; Disconnected
	// follows.
	TakenOver
	// Disconnected: the connection, or the attempt to connect, ended. Event.Err says why, and
	// Event.Retry when the next attempt begins.
	Disconnected
)

// String returns the event's name in lower case.
func (k EventKind) String() string {
	switch k {
	case Connecting:
		return "connecting"
	case SessionLost:
		return "session lost"
	case Connected:
		return "connected"
	case TakenOver:
		return "taken over"
	case Disconnected:
		return "disconnected"
	}
	return "unknown"
}

// An Event is a change of the connection. Fields that do not belong to its Kind are zero.
type Event struct {
	Kind EventKind
	URL  string // of the broker, without user information and query
	// Negotiated is what applies to the connection (Connected).
	Negotiated Negotiated
	// Err is the cause (Disconnected, TakenOver): it wraps a *ReasonError if the broker gave a
	// reason code. It is nil if the connection ended because the client was asked to end, by Close
	// or the context of Run. Diagnose explains it.
	Err error
	// Retry is the time until the next attempt (Disconnected); 0 means at once or, if the client is
	// to end, never.
	Retry time.Duration
}

// Negotiated is what applies to one connection: what the broker's CONNACK says, the defaults of the
// standard where it says nothing, and the answers to Config.Subscriptions. Maxima are the broker's
// and limit what the client sends.
type Negotiated struct {
	URL      string // without user information and query
	ClientID string // the one in use
	// the one that the broker assigned; "" if it assigned none
	AssignedClientID string
	SessionPresent   bool          // the broker resumed the session
	SessionExpiry    time.Duration // 0: the session ends with the connection
	KeepAlive        time.Duration // the one in use; 0: none
	ServerKeepAlive  time.Duration // the one that the broker set; 0: none
	// QoS 1 and 2 messages that the client may have in flight
	ReceiveMaximum                  uint16
	MaximumPacketSize               uint32 // bytes; 268,435,460 if the broker set no limit
	MaximumQoS                      QoS
	TopicAliasMaximum               uint16 // 0: no aliases
	RetainAvailable                 bool
	WildcardSubscriptionAvailable   bool
	SubscriptionIdentifierAvailable bool
	SharedSubscriptionAvailable     bool
	ResponseInformation             string
	Reason                          string // the broker's Reason String
	UserProperties                  []UserProperty
	// Will is the will as the broker accepted it, nil for none. If the broker refused the will, it
	// may be without RETAIN, with QoS 0, or nil.
	Will *Will
	// Granted has one code for each of Config.Subscriptions, in their order: the granted QoS, which
	// may be lower than the requested one, or a refusal (0x80 and above). A subscription that the
	// CONNACK rules out counts as refused. So does one that the client leaves out because the
	// broker ends the connection at it: the code is that of the broker, or 0x80 if the broker gave
	// none.
	Granted []ReasonCode
}
