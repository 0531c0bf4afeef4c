package drivertest

import (
	"fmt"
	"testing"

	"github.com/fieldgate/fieldgate/drivers"
)

// Outcome opens a driver, reads once, and returns what came of it as text,
// "[]drivers.Value{temperature=21.5(float)} <nil>": for tables of what a device says and what the
// driver makes of it.
func Outcome(t *testing.T, spec drivers.Spec, buses *Buses, options any) string {
	t.Helper()
	d, err := spec.Open(t.Context(), buses, "bus", options)
	if err != nil {
		return err.Error()
	}
	values, err := d.Read(t.Context())
	if err := d.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	return fmt.Sprintf("%#v %v", values, err)
}
