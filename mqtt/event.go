package mqtt

import "time"

// An EventKind is what happened to the client's connection.
type EventKind int

// The events, in the order in which one connection produces them.
const (
	// Connecting: an attempt begins at Event.URL.
	Connecting EventKind = iota + 1
	// SessionLost: the broker no longer has the session that the client wanted to resume. What was
	// in flight is published again as new messages; subscriptions other than Config.Subscriptions
	// are lost.
	SessionLost
	// Connected: the broker accepted the client and answered Config.Subscriptions. Event.Negotiated
	// is set.
	Connected
	// TakenOver: another client connected with the same client id. Disconnected follows.
	TakenOver
	// Disconnected: the connection, or the attempt, ended. Event.Err says why.
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

// An Event is a change of the connection.
type Event struct {
	Kind EventKind
	URL  string // without user information
	// Negotiated is what the broker granted (Connected).
	Negotiated Negotiated
	// Err is the cause (Disconnected): a *ReasonError if the broker gave one; nil after Close.
	Err error
	// Retry is the time until the next attempt (Disconnected).
	Retry time.Duration
}

// Negotiated is what applies to one connection, with the defaults of the standard filled in.
type Negotiated struct {
	URL                             string
	ClientID                        string // the one in use
	AssignedClientID                string // set if the broker chose it
	SessionPresent                  bool
	SessionExpiry                   time.Duration
	KeepAlive                       time.Duration // the one in use; 0: none
	ServerKeepAlive                 time.Duration // set if the broker chose it
	ReceiveMaximum                  uint16
	MaximumPacketSize               uint32 // 268,435,460 if the broker set no limit
	MaximumQoS                      QoS
	TopicAliasMaximum               uint16
	RetainAvailable                 bool
	WildcardSubscriptionAvailable   bool
	SubscriptionIdentifierAvailable bool
	SharedSubscriptionAvailable     bool
	ResponseInformation             string
	Reason                          string
	UserProperties                  []UserProperty
	// Will is the will as the broker accepted it, nil for none. RETAIN, the QoS or the whole will
	// may have been given up because the broker refuses it.
	Will *Will
	// Granted are the answers to Config.Subscriptions, one for each, in their order: the QoS, which
	// may be lower than asked, or a refusal, also by what the CONNACK rules out. A subscription
	// that is left out because the broker ends the connection at it has the broker's code, or 0x80
	// if there was none. A refused subscription is not an error of the connection.
	Granted []ReasonCode
}
