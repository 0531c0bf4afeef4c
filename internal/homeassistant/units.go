package homeassistant

import "strings"

// A measure is how Home Assistant calls what a unit measures.
type measure struct{ unit, class, state string }

// State classes: whether statistics are made of the mean or of the growth.
const (
	measurement = "measurement"
	increasing  = "total_increasing" // a smaller value is a counter that began again
	total       = "total"            // may fall
)

// measures has the units of SenML and those that registers of meters have. Units come as Home
// Assistant writes them, micro as U+03BC.
var measures = map[string]measure{
	"Cel": {"°C", "temperature", measurement}, "degF": {"°F", "temperature", measurement}, "K": {"K", "temperature", measurement},
	"%RH": {"%", "humidity", measurement}, "%EL": {"%", "battery", measurement}, "%": {"%", "", measurement}, "/": {"", "", measurement},
	"Pa": {"Pa", "pressure", measurement}, "hPa": {"hPa", "pressure", measurement}, "kPa": {"kPa", "pressure", measurement},
	"mbar": {"mbar", "pressure", measurement}, "bar": {"bar", "pressure", measurement},
	"V": {"V", "voltage", measurement}, "mV": {"mV", "voltage", measurement}, "A": {"A", "current", measurement}, "mA": {"mA", "current", measurement},
	"W": {"W", "power", measurement}, "kW": {"kW", "power", measurement}, "VA": {"VA", "apparent_power", measurement}, "var": {"var", "reactive_power", measurement},
	"J": {"J", "energy", increasing}, "MJ": {"MJ", "energy", increasing}, "GJ": {"GJ", "energy", increasing},
	"Wh": {"Wh", "energy", increasing}, "kWh": {"kWh", "energy", increasing}, "MWh": {"MWh", "energy", increasing},
	"Ah": {"Ah", "", increasing}, "VAh": {"VAh", "", increasing}, "kVAh": {"kVAh", "", increasing}, "varh": {"varh", "", increasing}, "kvarh": {"kvarh", "", increasing},
	"Hz": {"Hz", "frequency", measurement}, "kHz": {"kHz", "frequency", measurement}, "MHz": {"MHz", "frequency", measurement},
	"lx": {"lx", "illuminance", measurement}, "W/m2": {"W/m²", "irradiance", measurement},
	"m": {"m", "distance", measurement}, "km": {"km", "distance", measurement}, "cm": {"cm", "distance", measurement}, "mm": {"mm", "distance", measurement},
	"m/s": {"m/s", "speed", measurement}, "km/h": {"km/h", "speed", measurement}, "kn": {"kn", "speed", measurement},
	"ms": {"ms", "duration", measurement}, "s": {"s", "duration", measurement}, "min": {"min", "duration", measurement}, "h": {"h", "duration", measurement}, "d": {"d", "duration", measurement},
	"B": {"B", "data_size", measurement}, "KiB": {"KiB", "data_size", measurement}, "MiB": {"MiB", "data_size", measurement}, "GiB": {"GiB", "data_size", measurement},
	"kB": {"kB", "data_size", measurement}, "MB": {"MB", "data_size", measurement}, "GB": {"GB", "data_size", measurement},
	"bit/s": {"bit/s", "data_rate", measurement}, "B/s": {"B/s", "data_rate", measurement},
	"l": {"L", "volume", increasing}, "L": {"L", "volume", increasing}, "m3": {"m³", "volume", increasing},
	"m3/h": {"m³/h", "volume_flow_rate", measurement}, "l/min": {"L/min", "volume_flow_rate", measurement},
	"kg": {"kg", "weight", measurement}, "g": {"g", "weight", measurement},
	"dBm": {"dBm", "signal_strength", measurement}, "pH": {"", "ph", measurement},
	"ug/m3": {"μg/m³", "", measurement}, "ppm": {"ppm", "", measurement},
	"Ohm": {"Ω", "", measurement}, "deg": {"°", "", measurement}, "lat": {"°", "", measurement}, "lon": {"°", "", measurement},
	"m/s2": {"m/s²", "", measurement}, "uT": {"μT", "", measurement}, "1/min": {"rpm", "", measurement}, "count": {"", "", measurement},
}

// measureOf returns how Home Assistant calls a number with this unit. Where the unit leaves it
// open, the field's name decides; what neither says has no class.
func measureOf(name, unit string) measure {
	m, ok := measures[unit]
	if !ok {
		return measure{unit, "", measurement}
	}
	has := func(word string) bool { return strings.Contains("_"+name+"_", "_"+word+"_") }
	switch {
	case unit == "ppm" && has("co2"):
		m.class = "carbon_dioxide"
	case unit == "ug/m3" && has("pm1"):
		m.class = "pm1"
	case unit == "ug/m3" && (has("pm2_5") || has("pm25")):
		m.class = "pm25"
	case unit == "ug/m3" && has("pm10"):
		m.class = "pm10"
	case (unit == "m3" || unit == "l" || unit == "L") && has("water"):
		m.class = "water"
	case unit == "m3" && has("gas"):
		m.class = "gas"
	case unit == "count" && has("count"):
		m.state = increasing
	}
	return m
}
