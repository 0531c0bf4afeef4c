package config

import "slices"

// A Word is one of the values that a key may have.
type Word struct {
	Name string
	Doc  string // what it means, in a sentence without a full stop
}

// Words are all values that a key may have.
type Words []Word

// Words that others compare with.
const (
	UnroutedHold = "hold"    // telemetry.unrouted: keeps readings nobody subscribed to
	CompressNone = "none"    // telemetry.compress
	NoProxy      = "none"    // mqtt.proxy: none, whatever the environment says
	LineMetered  = "metered" // mqtt.line
	PriorityLow  = "low"     // sensor.priority
	CounterReset = "reset"   // sensor.field.<name>.counter
)

// The words of each key whose values are fixed. Formats, commands and drivers are the Catalogue's.
var (
	LogLevels = Words{
		{"debug", "everything, including single attempts and packets"},
		{"info", "changes of state"},
		{"warn", "what needs attention while the gateway goes on"},
		{"error", "what does not work"},
	}
	Unrouted = Words{
		{"delivered", "a reading without a subscriber counts as delivered, and is counted"},
		{UnroutedHold, "a reading without a subscriber stays in the queue"},
	}
	Compressions = Words{
		{CompressNone, "telemetry is sent as it is"},
		{"gzip", "telemetry that gets smaller by it is sent as gzip, which every receiver can be taught"},
		{"zstd", "telemetry that gets smaller by it is sent as Zstandard, which costs the board least"},
	}
	Lines = Words{
		{LineMetered, "every byte costs money: readings wait for company, are compressed, and nothing is sent twice"},
	}
	WhenFull = Words{
		{"drop-oldest", "the oldest readings of the lowest priority make room"},
		{"reject-new", "new readings are not taken"},
		{"thin", "the oldest readings are first combined into buckets of mean, minimum and maximum"},
	}
	Priorities = Words{
		{PriorityLow, "gives way first when the store is full, is sent last, and waits when mqtt.bytes_per_day is used up"},
		{"normal", "between the two"},
		{"high", "gives way last, and is sent first"},
	}
	Ops = Words{
		{OpSum, "all fields added up"},
		{OpDifference, "the first field less the second"},
		{OpProduct, "all fields multiplied"},
		{OpRatio, "the first field divided by the second; bad if that is 0"},
	}
	Counters = Words{
		{CounterReset, "began at 0 again"},
		{"uint8", "went past 255, or began at 0 again"},
		{"uint16", "went past 65,535, or began at 0 again"},
		{"uint32", "went past 4,294,967,295, or began at 0 again"},
	}
	ShadowKeys = Words{
		{"sensors.every", "interval of a sensor"},
		{"sensors.enabled", "whether a sensor is read"},
		{"sensors.deadband", "smallest change of a field that is reported"},
		{"gateway.log_level", "log level"},
		{"gateway.health_every", "interval of P/health"},
	}
)

// Names returns the words themselves.
func (w Words) Names() []string {
	names := make([]string, len(w))
	for i := range w {
		names[i] = w[i].Name
	}
	return names
}

// Has reports whether a value is one of the words.
func (w Words) Has(value string) bool {
	return slices.ContainsFunc(w, func(x Word) bool { return x.Name == value })
}
