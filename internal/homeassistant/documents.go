package homeassistant

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/shadow"
)

// A document is what Home Assistant reads on a discovery topic.
type document struct {
	Device           device               `json:"device"`
	Origin           origin               `json:"origin"`
	QoS              int                  `json:"qos"`
	Availability     []availability       `json:"availability"`
	AvailabilityMode string               `json:"availability_mode"`
	Components       map[string]component `json:"components"`
}

type device struct {
	Identifiers  []string `json:"identifiers"`
	Name         string   `json:"name"`
	Manufacturer string   `json:"manufacturer"`
	Model        string   `json:"model,omitempty"`
	SWVersion    string   `json:"sw_version"`
	Via          string   `json:"via_device,omitempty"`
}

type origin struct {
	Name      string `json:"name"`
	SWVersion string `json:"sw_version"`
}

type availability struct {
	Topic         string `json:"topic"`
	ValueTemplate string `json:"value_template"`
}

// A component is one entity. Those of a device do not inherit a state topic: a button or a tracker
// must have none.
type component struct {
	Platform           string         `json:"platform"`
	UniqueID           string         `json:"unique_id"`
	Name               string         `json:"name"`
	DeviceClass        string         `json:"device_class,omitempty"`
	StateClass         string         `json:"state_class,omitempty"`
	Unit               string         `json:"unit_of_measurement,omitempty"`
	EntityCategory     string         `json:"entity_category,omitempty"`
	StateTopic         string         `json:"state_topic,omitempty"`
	ValueTemplate      string         `json:"value_template,omitempty"`
	ExpireAfter        float64        `json:"expire_after,omitempty"` // seconds
	AttributesTopic    string         `json:"json_attributes_topic,omitempty"`
	AttributesTemplate string         `json:"json_attributes_template,omitempty"`
	CommandTopic       string         `json:"command_topic,omitempty"`
	CommandTemplate    string         `json:"command_template,omitempty"`
	Min                *float64       `json:"min,omitempty"`
	Max                *float64       `json:"max,omitempty"`
	Step               float64        `json:"step,omitempty"`
	Mode               string         `json:"mode,omitempty"`
	Availability       []availability `json:"availability,omitempty"`
}

// Facts are what documents are made of.
type Facts struct {
	Config         *config.Config
	Topics         contract.Topics
	Version, Model string // of the program and the board
}

// topics returns the discovery topics of a configuration: of the gateway, and of each sensor that
// can be announced. There are none if discovery is off.
func (f *Facts) topics() []string {
	if !f.Config.HomeAssistant.Discovery {
		return nil
	}
	topics := []string{f.topic(f.id(""))}
	for i := range f.Config.Sensors {
		if s := &f.Config.Sensors[i]; sourceOf(f.Config, s) != nowhere {
			topics = append(topics, f.topic(f.id(s.Name)))
		}
	}
	return topics
}

// Documents returns the documents of all devices, by topic, with settings in force.
func (f *Facts) Documents(in shadow.Settings) map[string][]byte {
	documents := map[string][]byte{f.topic(f.id("")): f.gateway(in.HealthEvery)}
	for i := range f.Config.Sensors {
		s := &f.Config.Sensors[i]
		if source := sourceOf(f.Config, s); source != nowhere {
			documents[f.topic(f.id(s.Name))] = f.sensor(s, source, in.Sensors[s.Name])
		}
	}
	return documents
}

// id identifies the device of a sensor, or that of the gateway: "".
func (f *Facts) id(sensor string) string {
	id := "fieldgate_" + config.ObjectID(f.Config.Gateway.ID)
	if sensor != "" {
		id += "_" + config.ObjectID(sensor)
	}
	return id
}

func (f *Facts) topic(id string) string {
	return TopicPrefix(f.Config) + id + "/config"
}

func (f *Facts) document(id, name, model string) document {
	return document{
		Device: device{Identifiers: []string{id}, Name: name, Manufacturer: "fieldgate", Model: model, SWVersion: f.Version},
		Origin: origin{"fieldgate", f.Version}, QoS: 1, AvailabilityMode: "all", Components: map[string]component{},
		Availability: []availability{{f.Topics.Status(), oneOf("value_json.state", contract.Online, contract.Sleeping)}},
	}
}

// add adds an entity to the device, under a key that is a field's name or begins with "_".
func (d *document) add(key string, c component) {
	c.UniqueID = d.Device.Identifiers[0] + "-" + key
	if c.Name == "" {
		c.Name = strings.ReplaceAll(strings.TrimPrefix(key, "_"), "_", " ")
	}
	d.Components[key] = c
}

func (d *document) text() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // templates stay readable
	if err := e.Encode(d); err != nil {
		panic(err) // a struct of strings and finite numbers
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// gateway returns the document of the gateway itself: what P/status and P/health say, and buttons.
func (f *Facts) gateway(healthEvery time.Duration) []byte {
	d := f.document(f.id(""), f.Config.Gateway.ID, f.Model)
	life := lifeOf(healthEvery, time.Duration(f.Config.MQTT.Online))
	from := func(expression, form string, c component) component {
		c.StateTopic, c.EntityCategory, c.ExpireAfter = f.Topics.Health(), "diagnostic", life.Seconds()
		c.ValueTemplate = ifFresh(expression, "value_json.ts", life) + form
		return c
	}
	d.add("connection", component{
		Platform: "binary_sensor", DeviceClass: "connectivity", EntityCategory: "diagnostic", StateTopic: f.Topics.Status(),
		ValueTemplate: "{{ 'ON' if value_json.state in ('" + contract.Online + "', '" + contract.Sleeping + "') else 'OFF' }}",
		Availability:  []availability{{f.Topics.Status(), "{{ 'online' }}"}}, // what it shows is known while the others are not
	})
	d.add("state", from("value_json.state != 'ok'", asSwitch, component{
		Platform: "binary_sensor", Name: "problem", DeviceClass: "problem", AttributesTopic: f.Topics.Health(),
		AttributesTemplate: "{{ {'reasons': value_json.get('reasons', []), 'alarms': value_json.get('alarms', [])} | tojson }}",
	}))
	number := func(key, expression string, c component) {
		c.Platform = "sensor"
		d.add(key, from(expression, asNumber, c))
	}
	number("waiting", "value_json.queue.live + value_json.queue.backlog", component{Name: "readings waiting", StateClass: measurement})
	number("oldest_age", "value_json.queue.oldest_age", component{Name: "oldest reading waits", DeviceClass: "duration", Unit: "s", StateClass: measurement})
	number("store", "value_json.queue.bytes", component{Name: "store", DeviceClass: "data_size", Unit: "B", StateClass: measurement})
	number("lost", "value_json.queue.evicted + value_json.queue.expired + value_json.queue.rejected + value_json.queue.refused", component{Name: "readings lost", StateClass: increasing})
	number("reconnects", "value_json.link.reconnects", component{StateClass: increasing})
	number("bytes_up", "value_json.link.bytes_up_day", component{Name: "sent today", DeviceClass: "data_size", Unit: "B", StateClass: increasing})
	number("bytes_down", "value_json.link.bytes_down_day", component{Name: "received today", DeviceClass: "data_size", Unit: "B", StateClass: increasing})
	if f.Config.MQTT.TLS.CertFile != "" {
		number("certificate", "value_json.get('certificate_days_left')", component{Name: "certificate ends in", DeviceClass: "duration", Unit: "d", StateClass: measurement})
	}
	for _, b := range []struct{ command, class string }{{"restart", "restart"}, {"flush", ""}} {
		if slices.Contains(f.Config.Commands.Allow, b.command) {
			d.add(b.command, component{Platform: "button", DeviceClass: b.class, EntityCategory: "config", CommandTopic: f.Topics.Command(b.command), CommandTemplate: pressed()})
		}
	}
	return d.text()
}
