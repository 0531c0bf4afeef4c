package homeassistant

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/internal/shadow"
)

// kept is an Uplink that notes what it is given.
type kept struct {
	set []string

	mu       sync.Mutex
	repeated []string
}

func (k *kept) Set(topic string, _ []byte, _ func()) { k.set = append(k.set, topic) }

func (k *kept) Repeat(topic string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.repeated = append(k.repeated, topic)
}

// again returns what was repeated.
func (k *kept) again() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.repeated)
}

const twoSensors = "[[sensor]]\nname = \"a.1\"\ndriver = \"sim\"\nevery = \"1s\"\n[[sensor]]\nname = \"b\"\ndriver = \"sim\"\nevery = \"1s\"\nlast = false\n"

// TestAnnouncesAgain: after a start of Home Assistant, within ten seconds, and once for several.
func TestAnnouncesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, k := factsOf(t, twoSensors), &kept{}
		a := New(*f, k)
		a.Apply(shadow.Base(f.Config))
		want := []string{"homeassistant/device/fieldgate_gw1/config", "homeassistant/device/fieldgate_gw1_a_1/config", "homeassistant/device/fieldgate_gw1_b/config"}
		if !slices.Equal(k.set, want) {
			t.Errorf("announced: %q", k.set)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		if a.Birth("homeassistant/other", []byte("online")) || !a.Birth("homeassistant/status", []byte("offline")) {
			t.Error("it takes other topics, or not its own")
		}
		time.Sleep(time.Hour)
		if len(k.again()) > 0 {
			t.Errorf("announced without a start: %q", k.again())
		}
		began := time.Now()
		a.Birth("homeassistant/status", []byte("online"))
		for len(k.again()) == 0 && time.Since(began) < time.Hour {
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if waited := time.Since(began); waited > spread || !slices.Equal(k.again(), want) {
			t.Errorf("after %v announced again: %q", waited, k.again())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestOffAnnouncesNothing: neither topics nor documents, and a sensor that cannot be read is left
// out and named.
func TestOffAnnouncesNothing(t *testing.T) {
	f, k := factsOf(t, "[telemetry]\ncompress = \"gzip\"\n"+twoSensors), &kept{}
	if topics := f.topics(); len(topics) != 2 || len(f.Documents(shadow.Base(f.Config))) != 2 {
		t.Errorf("with compressed telemetry: %q", topics)
	}
	if w := Warnings(f.Config); len(w) != 1 {
		t.Errorf("warnings: %q", w)
	}
	f.Config.HomeAssistant.Discovery = false
	a := New(*f, k)
	a.Apply(shadow.Base(f.Config))
	if retained := a.Retained(map[string]bool{}); len(retained) > 0 || len(k.set) > 0 || BirthTopic(f.Config) != "" || a.Birth("homeassistant/status", []byte("online")) || len(Warnings(f.Config)) > 0 {
		t.Errorf("off: %v, %q", retained, k.set)
	}
}
