package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
	jsonformat "github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/payload/jsonflat"
	"github.com/fieldgate/fieldgate/internal/reading"
)

const (
	docs       = "../../docs"
	schemaBase = "https://github.com/fieldgate/fieldgate/docs/schema/"
)

// schemas are docs/schema by name, "status"; common, which only others refer to, is not among them.
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(docs, "schema", "*.schema.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no schemas: %v", err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err == nil {
			err = c.AddResource(schemaBase+filepath.Base(file), s)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	compiled := map[string]*jsonschema.Schema{}
	for _, file := range files {
		s, err := c.Compile(schemaBase + filepath.Base(file))
		if err != nil {
			t.Fatal(err)
		}
		if name := strings.TrimSuffix(filepath.Base(file), ".schema.json"); name != "common" {
			compiled[name] = s
		}
	}
	return compiled
}

func validate(s *jsonschema.Schema, document []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// wantStrict fails if a schema accepts a member that nobody agreed on.
func wantStrict(t *testing.T, name string, s *jsonschema.Schema, document []byte) {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(document, &members); err != nil {
		t.Fatal(err)
	}
	members["surplus"] = map[string]any{}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	if validate(s, text) == nil {
		t.Errorf("schema %q accepts %s", name, text)
	}
}

// TestFilledDocumentsMatchTheirSchemas holds documents with every member there is against
// docs/schema: a member that is added to a struct and not to its schema does not pass.
func TestFilledDocumentsMatchTheirSchemas(t *testing.T) {
	at := contract.Time{Time: time.Date(2026, 11, 20, 15, 4, 5, 123e6, time.UTC)}
	number := 12.5
	head := contract.EventHead{V: contract.Version, Gateway: "gw", Run: "3f9c61a2b07d", N: 3, TS: at, Up: 12.5}
	state := contract.State{
		Sensors: map[string]contract.SensorState{"hall": {Every: "1m30s", Enabled: true, Deadband: map[string]float64{"temperature": 0.1}}},
		Gateway: contract.GatewayState{LogLevel: "warn", HealthEvery: "1m0s"},
	}
	stateText, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	documents := []struct {
		schema   string
		document any
	}{
		{"status", contract.Status{V: 1, State: contract.Sleeping, Since: at, Until: &at, Run: "3f9c61a2b07d", Store: "9f3a61c2", Boot: 17, Version: "v1"}},
		{"sensor", contract.Sensor{V: 1, Sensor: "hall", Driver: "bme280", Bus: "/dev/i2c-1", Every: "10s", Labels: map[string]string{"site": "north"}, Fields: map[string]contract.Field{"temperature": {Unit: "Cel", Type: "float", Doc: "of the hall", Writable: true}}}},
		{"shadow-desired", contract.Desired{Version: 3, State: stateText}},
		{"shadow-reported", contract.Reported{V: 1, Version: 4, DesiredVersion: 3, State: state, Rejected: map[string]string{"sensors.hall.every": "must be from 1s to 1h"}, TS: at}},
		{"command", contract.Command{ID: "c1", Args: json.RawMessage(`{"sensor":"hall"}`)}},
		{"reply", contract.Reply{V: 1, ID: "c1", Op: "restart", State: contract.Interrupted, Code: "interrupted", Result: json.RawMessage(`{"a":1}`), Error: "the gateway ended", TS: at}},
		{"health", contract.Health{V: 1, TS: at, Up: 12.5, Run: "3f9c61a2b07d", Store: "9f3a61c2", Boot: 17, Version: "v1", State: "degraded", Reasons: []string{"sensor hall is missing"}, Alarms: []string{"too warm"},
			Queue: contract.QueueHealth{Live: 1, Backlog: 2, Events: 3, InFlight: 4, Bytes: 5, MaxBytes: 6, OldestAge: 7.5, RateIn: 8.5, RateOut: 9.5, HoursToFull: &number, SecondsToDrain: &number, BacklogWait: &number,
				Appended: 10, Delivered: 11, Evicted: 12, Expired: 17, Thinned: 18, Rejected: 13, Refused: 14, Unrouted: 15, Overruns: 16},
			Link:      contract.LinkHealth{Connected: true, Asleep: true, Since: 5, Reconnects: 1, BytesUp: 2, BytesDown: 3, BytesUpDay: 4, BytesDownDay: 5, BytesUpMonth: 6, BytesDownMonth: 7, Error: "connection refused", Attempts: 2, NextAttempt: new(1.5)},
			Flash:     contract.FlashHealth{Bytes: 1, BytesPerDay: 2.5, Commits: 3, Device: &contract.FlashDevice{Name: "mmcblk0", Bytes: 1, BytesPerDay: 1, BytesPerReading: 1, Years: &number}},
			ClockSync: true, CertDays: &number,
			Sensors: map[string]contract.SensorHealth{"hall": {State: "stale", Error: "read does not return", Since: 3.5, Reads: 4, Failures: 5, Skipped: 6,
				Bad: map[string]string{"humidity": "crc"}, Flaps: 7}}}},
		{"event-boot", struct {
			contract.EventHead
			contract.BootEvent
		}{head, contract.BootEvent{Store: "9f3a61c2", Boot: 17, Version: "v1", MaxLoss: 1,
			Previous: &contract.Previous{Run: "1c40aa90e6f2", Store: "9f3a61c2", Boot: 16, Gateway: "gw", End: contract.EndUnclean, Last: map[string]uint64{"hall": 1041}, Events: 4}}}},
		{"event-loss", struct {
			contract.EventHead
			contract.LossEvent
		}{head, contract.LossEvent{Loss: []contract.Loss{{Run: "1c40aa90e6f2", Sensor: "hall", First: 1, Last: 100, Count: 100, Reason: "evicted"}}}}},
		{"event-clock", struct {
			contract.EventHead
			contract.ClockEvent
		}{head, contract.ClockEvent{Zero: at, Runs: []string{"1c40aa90e6f2", "3f9c61a2b07d"}, Source: "https", Uncertainty: 0.5}}},
		{"event-sensor", struct {
			contract.EventHead
			contract.SensorEvent
		}{head, contract.SensorEvent{Sensor: "hall", State: "failing", Error: "no answer"}}},
		{"event-store", struct {
			contract.EventHead
			contract.StoreEvent
		}{head, contract.StoreEvent{State: "degraded", Detail: "disk full"}}},
		{"event-alarm", struct {
			contract.EventHead
			contract.AlarmEvent
		}{head, contract.AlarmEvent{Alarm: "limit", State: "raised", Topic: "fieldgate/gw/telemetry/b", Sensor: "hall", Field: "temperature", Value: 31.5, Detail: "too warm"}}},
		{"event-config", struct {
			contract.EventHead
			contract.ConfigEvent
		}{head, contract.ConfigEvent{State: "last-good", Problems: []string{"fieldgate.toml:1:1: unknown key"}}}},
		{"event-update", struct {
			contract.EventHead
			contract.UpdateEvent
		}{head, contract.UpdateEvent{State: "taken-back", Version: "v0.2.0", Detail: "version v0.3.0 has not reached its broker within 10m"}}},
	}
	compiled := schemas(t)
	done := map[string]bool{"last": true} // TestTelemetryMatchesItsSchemas
	for _, schema := range formatSchemas() {
		done[schema] = true // TestEveryFormatIsDescribed
	}
	for _, d := range documents {
		done[d.schema] = true
		wantFilled(t, d.schema, reflect.ValueOf(d.document))
		text, err := json.Marshal(d.document)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(compiled[d.schema], text); err != nil {
			t.Errorf("%s: %v\n%s", d.schema, err, text)
		}
		if d.schema != "shadow-desired" {
			wantStrict(t, d.schema, compiled[d.schema], text)
		}
	}
	for name := range compiled {
		if !done[name] {
			t.Errorf("no document was held against the schema %q", name)
		}
	}
}

// wantFilled fails if a member of a document has no value.
func wantFilled(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if v.IsZero() {
		t.Errorf("%s is not filled", path)
	}
	switch v.Kind() {
	case reflect.Pointer:
		wantFilled(t, path, v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[contract.Time]() {
			return
		}
		for i := range v.NumField() {
			wantFilled(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			wantFilled(t, path+".0", v.Index(0))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			wantFilled(t, path+"."+k.String(), v.MapIndex(k))
		}
	}
}

// formatSchemas are the schemas of the telemetry formats; "" for one that is not JSON.
func formatSchemas() map[string]string {
	return map[string]string{"json": "telemetry", "json-flat": "telemetry-flat", "influx": ""}
}

// TestEveryFormatIsDescribed: docs/topics.md has each telemetry format, and docs/schema what its
// encoder makes.
func TestEveryFormatIsDescribed(t *testing.T) {
	topics, err := os.ReadFile(filepath.Join(docs, "topics.md"))
	if err != nil {
		t.Fatal(err)
	}
	compiled := schemas(t)
	at := time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC)
	body := reading.Append(nil, []drivers.Value{drivers.Float("temperature", 21.5), drivers.Bad("humidity", "crc")})
	for _, name := range formats.Words().Names() {
		if !bytes.Contains(topics, fmt.Appendf(nil, "`format = %q`", name)) {
			t.Errorf("topics.md does not describe `format = %q`", name)
		}
		schema, ok := formatSchemas()[name]
		if !ok {
			t.Errorf("format %q has no schema: add it to docs/schema and to formatSchemas", name)
		}
		if schema == "" {
			continue
		}
		if compiled[schema] == nil {
			t.Errorf("format %q: there is no docs/schema/%s.schema.json", name, schema)
			continue
		}
		for _, r := range []payload.Reading{{Seq: 1042, Time: at, Body: body}, {Seq: 1, Up: time.Second, Body: body}} {
			text, err := formats.New(name).Append(nil, &payload.Batch{Gateway: "gw", Run: "3f9c61a2b07d", Sensor: "hall", Readings: []payload.Reading{r}})
			if err != nil {
				t.Fatal(err)
			}
			if err := validate(compiled[schema], text); err != nil {
				t.Errorf("format %q: %v\n%s", name, err, text)
			}
		}
	}
}

// TestTelemetryMatchesItsSchemas holds what the encoders make of every kind of value, and the forms
// that the contract has beside, against docs/schema.
func TestTelemetryMatchesItsSchemas(t *testing.T) {
	body := reading.Append(nil, []drivers.Value{drivers.Float("temperature", -3.25e-7), drivers.Int("count", -7), drivers.Bool("open", true),
		drivers.String("mode", "eco\n\xff"), drivers.Bad("humidity", "crc"), drivers.Float("sensor", 1)})
	whole := payload.Reading{Seq: 1042, Time: time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC), Body: body}
	untimed := payload.Reading{Seq: 1, Up: 1500 * time.Millisecond, Body: body}
	encode := func(e payload.Encoder, readings ...payload.Reading) string {
		text, err := e.Append(nil, &payload.Batch{Gateway: "gw", Run: "3f9c61a2b07d", Sensor: "hall", Readings: readings})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	with := func(readings string) string {
		return `{"v":1,"gateway":"gw","run":"3f9c61a2b07d","sensor":"hall","readings":[` + readings + `]}`
	}
	flat := func(rest string) string {
		return `{"v":1,"gateway":"gw","run":"3f9c61a2b07d","sensor":"hall",` + rest + `}`
	}
	compiled := schemas(t)
	for _, tt := range []struct {
		name, schema, document string
		good                   bool
	}{
		{"json", "telemetry", encode(new(jsonformat.Encoder), untimed, whole), true},
		{"json, newest", "last", encode(new(jsonformat.Encoder), whole), true},
		{"json, newest without a time", "last", encode(new(jsonformat.Encoder), untimed), true},
		{"json-flat", "telemetry-flat", encode(new(jsonflat.Encoder), whole), true},
		{"json-flat without a time", "telemetry-flat", encode(new(jsonflat.Encoder), untimed), true},
		{"json-flat, newest", "last", encode(new(jsonflat.Encoder), whole), false},
		{"thinned bucket", "telemetry", with(`{"seq":1,"seq_to":60,"n":60,"ts":"2026-11-20T15:04:00.000Z","ts_to":"2026-11-20T15:04:59.000Z","fields":{"temperature":{"mean":21.5,"min":21,"max":22}}}`), true},
		{"two newest", "last", encode(new(jsonformat.Encoder), untimed, whole), false},
		{"format mixed up", "telemetry", encode(new(jsonflat.Encoder), whole), false},
		{"format mixed up, flat", "telemetry-flat", encode(new(jsonformat.Encoder), whole), false},
		{"no time and no up", "telemetry", with(`{"seq":1,"ts":null,"fields":{"t":1}}`), false},
		{"time and up", "telemetry", with(`{"seq":1,"ts":"2026-11-20T15:04:00.000Z","up":1,"fields":{"t":1}}`), false},
		{"local time", "telemetry", with(`{"seq":1,"ts":"2026-11-20T15:04:00.000+01:00","fields":{"t":1}}`), false},
		{"seq from 0", "telemetry", with(`{"seq":0,"ts":null,"up":1,"fields":{"t":1}}`), false},
		{"bucket without a count", "telemetry", with(`{"seq":1,"seq_to":60,"ts":"2026-11-20T15:04:00.000Z","ts_to":"2026-11-20T15:04:59.000Z","fields":{"t":{"mean":1,"min":1,"max":1}}}`), false},
		{"bucket with plain values", "telemetry", with(`{"seq":1,"seq_to":60,"n":60,"ts":"2026-11-20T15:04:00.000Z","ts_to":"2026-11-20T15:04:59.000Z","fields":{"t":1}}`), false},
		{"no readings", "telemetry", with(""), false},
		{"no fields", "telemetry-flat", flat(`"seq":1,"ts":"2026-11-20T15:04:00.000Z"`), false},
		{"upper case", "telemetry-flat", flat(`"seq":1,"ts":"2026-11-20T15:04:00.000Z","Temp":1`), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := validate(compiled[tt.schema], []byte(tt.document)); (err == nil) != tt.good {
				t.Errorf("valid: %v, want %v: %v\n%s", err == nil, tt.good, err, tt.document)
			}
		})
	}
}
