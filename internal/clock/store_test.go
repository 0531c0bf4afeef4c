package clock

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
)

// TestOffsetsAreKept: what was frozen is read again as it was, to the nanosecond.
func TestOffsetsAreKept(t *testing.T) {
	store, err := buffer.Open(t.Context(), filepath.Join(t.TempDir(), "q.db"), buffer.Options{KernelBoot: "k"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close(t.Context())
	keeper := In(store)
	for boot, want := range map[string]Offset{
		"a": {1_795_844_037_123_456_789, NTP, 3 * time.Millisecond}, "b": {1_795_844_037_000_000_000, Trusted, 0}, "c": {1, NTP, time.Second},
	} {
		if err := keeper.Freeze(boot, want); err != nil {
			t.Fatal(err)
		}
		if got, ok, err := keeper.Offset(boot); err != nil || !ok || got != want {
			t.Errorf("%+v, %v, %v, want %+v", got, ok, err, want)
		}
	}
	if last := Last(t.Context(), store); last.UnixNano() != 1_795_844_037_123_456_789 {
		t.Errorf("last: %v", last)
	}
	for _, text := range []string{"", "1h", "x ntp 0s", "1h ntp x"} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}
