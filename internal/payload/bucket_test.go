package payload_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/payload"
	payloadjson "github.com/fieldgate/fieldgate/internal/payload/json"
	"github.com/fieldgate/fieldgate/internal/payload/jsonflat"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// A reading and a bucket, with and without a known time, in both formats.
func TestEncoders(t *testing.T) {
	at := time.Date(2026, 11, 20, 15, 4, 5, 123e6, time.UTC)
	one := reading.Append(nil, []drivers.Value{drivers.Float("temperature", 21.5), drivers.Int("n", 7), drivers.Bad("humidity", "crc")})
	bucket := reading.AppendBucket(nil, []reading.Aggregate{{Last: drivers.Value{Field: "temperature"}, N: 59, Mean: 21.5, Min: 20, Max: 23},
		{Last: drivers.Bool("open", true)}, {Last: drivers.Bad("humidity", "crc")}})
	const identity = `{"v":1,"gateway":"g","run":"3f9c61a2b07d","sensor":"hall",`
	for _, tt := range []struct {
		name       string
		reading    payload.Reading
		json, flat string
	}{
		{"reading", payload.Reading{Seq: 1042, Up: time.Second, Time: at, Body: one},
			`"readings":[{"seq":1042,"ts":"2026-11-20T15:04:05.123Z","fields":{"temperature":21.5,"n":7,"humidity":null},"bad":{"humidity":"crc"}}]}`,
			`"seq":1042,"ts":"2026-11-20T15:04:05.123Z","temperature":21.5,"n_":7,"humidity":null,"bad":{"humidity":"crc"}}`},
		{"reading without a time", payload.Reading{Seq: 1, Up: 1500 * time.Millisecond, Body: reading.Append(nil, nil)},
			`"readings":[{"seq":1,"ts":null,"up":1.500,"fields":{}}]}`, `"seq":1,"ts":null,"up":1.500}`},
		{"bucket", payload.Reading{Seq: 1042, SeqTo: 1101, Up: time.Second, UpTo: time.Minute, Time: at, TimeTo: at.Add(59 * time.Second), Body: bucket},
			`"readings":[{"seq":1042,"seq_to":1101,"n":60,"ts":"2026-11-20T15:04:05.123Z","ts_to":"2026-11-20T15:05:04.123Z",` +
				`"fields":{"temperature":{"mean":21.5,"min":20,"max":23},"open":true,"humidity":null},"bad":{"humidity":"crc"}}]}`,
			`"seq":1042,"seq_to":1101,"n":60,"ts":"2026-11-20T15:04:05.123Z","ts_to":"2026-11-20T15:05:04.123Z",` +
				`"temperature":{"mean":21.5,"min":20,"max":23},"open":true,"humidity":null,"bad":{"humidity":"crc"}}`},
		{"bucket without a time", payload.Reading{Seq: 1, SeqTo: 2, Up: time.Second, UpTo: 2 * time.Second, Body: reading.AppendBucket(nil, nil)},
			`"readings":[{"seq":1,"seq_to":2,"n":2,"ts":null,"up":1.000,"ts_to":null,"up_to":2.000,"fields":{}}]}`,
			`"seq":1,"seq_to":2,"n":2,"ts":null,"up":1.000,"ts_to":null,"up_to":2.000}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &payload.Batch{Gateway: "g", Run: "3f9c61a2b07d", Sensor: "hall", Readings: []payload.Reading{tt.reading}}
			for _, e := range []struct {
				encoder payload.Encoder
				want    string
			}{{new(payloadjson.Encoder), identity + tt.json}, {new(jsonflat.Encoder), identity + tt.flat}} {
				got, err := e.encoder.Append(nil, b)
				if err != nil || string(got) != e.want || !json.Valid(got) {
					t.Errorf("%T: %v\n got %s\nwant %s", e.encoder, err, got, e.want)
				}
			}
		})
	}
}
