package contract

// Telemetry is P/telemetry/<sensor> in the format "json", for those who read or print single
// readings. What is sent is rendered by package payload.
type Telemetry struct {
	V        int               `json:"v"`
	Gateway  string            `json:"gateway"`
	Run      string            `json:"run"`
	Sensor   string            `json:"sensor"`
	Labels   map[string]string `json:"labels,omitempty"` // telemetry.labels
	Readings []Reading         `json:"readings"`
}

// Reading is one reading of Telemetry.
type Reading struct {
	Seq uint64   `json:"seq"`
	TS  Time     `json:"ts"`
	Up  *float64 `json:"up,omitempty"` // seconds since power-up, if TS is not known
	Measured
}

// Measured is what a sensor measured: each field's value, and why those that are null have none.
// Units are not part of telemetry, but of what is shown to people and returned by commands.
type Measured struct {
	Fields map[string]any    `json:"fields"`
	Bad    map[string]string `json:"bad,omitempty"`
	Units  map[string]string `json:"units,omitempty"`
}
