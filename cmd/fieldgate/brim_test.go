package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer"
	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/mqtt"
)

// brim fills the store of a gateway until it takes not one byte more, the share of the events
// included, with commands that were interrupted among it.
func brim(t *testing.T, g *gatewayRig) {
	t.Helper()
	s, err := buffer.Open(t.Context(), g.path("queue.db"), buffer.Options{MaxBytes: 8 << 20, Machine: config.MachineHash(), KernelBoot: "k"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		entry := fmt.Sprintf(`{"N":%d,"Op":"flush","ID":"%d","Args":"x","Topic":"fieldgate/gw/reply/x","Correlation":"%s"}`, i+1, i, strings.Repeat("AAAA", 300))
		if err := s.Update(t.Context(), func(tx *buffer.Tx) error { return tx.Put("command", fmt.Sprintf("flush/%d", i), []byte(entry)) }); err != nil {
			t.Fatal(err)
		}
	}
	for i, size := 0, 64<<10; size > 0; i++ {
		if err := s.Update(t.Context(), func(tx *buffer.Tx) error { return tx.Put("ballast", fmt.Sprint(i), make([]byte, size)) }); err != nil {
			size /= 2
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_ = s.Close(ctx) // the mark of a clean end may find no room
}

// A start needs no room in the store: whatever it would write waits, and the gateway works.
func TestStartWithAStoreThatIsFullToTheBrim(t *testing.T) {
	m := newMosquitto(t)
	g := newGateway(t, m.url(), "[buffer]\nmax_bytes = \"8MiB\"\nmin_free = \"1MiB\"\n[[sensor]]\nname = \"s\"\ndriver = \"sim\"\nevery = \"100ms\"\n")
	var telemetry, answers atomic.Int32
	listen(t, m.url(), func(msg *mqtt.Message) {
		switch {
		case strings.Contains(msg.Topic, "/telemetry/"):
			telemetry.Add(1)
		case strings.HasSuffix(msg.Topic, "/reply/x"):
			answers.Add(1)
		}
	})
	brim(t, g)
	for range 2 {
		began, now := time.Now(), ""
		defer func() { t.Log(now) }()
		g.running()
		t.Logf("it runs after %v", time.Since(began))
		eventually(t, 20*time.Second, "readings and replies arrive", func() bool {
			now = fmt.Sprintf("%d readings, %d answers", telemetry.Load(), answers.Load())
			return telemetry.Load() > 5 && answers.Load() >= 20
		})
		telemetry.Store(0)
		if got := m.client("mosquitto_rr", "-t", "fieldgate/gw/cmd/ping", "-e", "me", "-m", "{}", "-W", "5"); !strings.Contains(got, `"state":"succeeded"`) {
			t.Errorf("ping: %s", got)
		}
		g.kill()
	}
}
