// Package homeassistant announces the gateway and its sensors to Home Assistant: it turns the
// configuration and what drivers know of their fields into the retained documents of MQTT
// discovery, one for each device.
//
// # What must stay true
//
//   - The unique id of an entity is made of gateway.id, the sensor's name and the field's name, and
//     of nothing else: Home Assistant keeps history, names and dashboards by it. A field's name has
//     no "-", so that no two fields of a gateway have one id.
//   - An old value never looks fresh. A retained reading is judged by its own time, not by when
//     Home Assistant received it; without a time it is unknown. If nothing bounds the time between
//     two readings (a deadband without a heartbeat), the state of the sensor in P/health decides.
//   - A unit or a class that Home Assistant may not know is left out: it refuses entities whose
//     unit does not fit their class.
//
// Documents is pure; the Announcer publishes its result and repeats it when Home Assistant starts.
package homeassistant
