package formats_test

import (
	"os"
	"path"
	"reflect"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/internal/payload"
	"github.com/fieldgate/fieldgate/internal/payload/formats"
	"github.com/fieldgate/fieldgate/internal/reading"
)

// TestEveryFolderIsAFormat: each folder of package payload but that of the table has a format in
// the table.
func TestEveryFolderIsAFormat(t *testing.T) {
	listed := map[string]bool{"formats": true}
	for _, f := range formats.Table() {
		listed[path.Base(reflect.TypeOf(f.New()).Elem().PkgPath())] = true
	}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !listed[e.Name()] {
			t.Errorf("internal/payload/%s is not a format of the table", e.Name())
		}
	}
}

// TestEveryFormat: what every encoder promises. It has a media type, appends to what is there, and
// a reading whose body is malformed is an error, as is one without a time if it needs that.
func TestEveryFormat(t *testing.T) {
	body := reading.Append(nil, []drivers.Value{drivers.Float("temperature", 21.5)})
	batch := &payload.Batch{Gateway: "g", Run: "3f9c61a2b07d", Sensor: "hall", Readings: []payload.Reading{{Seq: 1, Time: time.Unix(1_795_000_000, 0), Body: body}}}
	for _, f := range formats.Table() {
		e := formats.New(f.Name)
		if e.ContentType() == "" {
			t.Errorf("%s has no media type", f.Name)
		}
		message, err := e.Append([]byte("before"), batch)
		if err != nil || len(message) <= len("before") || string(message[:6]) != "before" {
			t.Errorf("%s: %q, %v", f.Name, message, err)
		}
		cut := *batch
		cut.Readings = []payload.Reading{{Seq: 1, Time: time.Unix(1_795_000_000, 0), Body: body[:len(body)-1]}}
		if message, err := e.Append(nil, &cut); err == nil {
			t.Errorf("%s: the body is cut off, and it makes %q", f.Name, message)
		}
		untimed := *batch
		untimed.Readings = []payload.Reading{{Seq: 1, Up: time.Second, Body: body}}
		if message, err := e.Append(nil, &untimed); (err != nil) != e.NeedsTime() {
			t.Errorf("%s: a reading without a time: %q, %v", f.Name, message, err)
		}
	}
}
