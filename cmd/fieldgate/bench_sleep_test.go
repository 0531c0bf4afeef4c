package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// BenchmarkSleep is what an hour of a gateway costs that sleeps, beside one that does not: ten
// sensors of one field, a reading a minute each, with TLS to a mosquitto of their own. The period
// is a minute, the shortest that a configuration allows, so that three whole ones can be waited
// for: what an hour costs is twenty times that. Both run at the same time. Bytes are those at the
// socket, with TLS and without TCP; card is what the store hands to the kernel, and disk what the
// kernel counts as written by the process, whole pages.
func BenchmarkSleep(b *testing.B) {
	const periods, period = 3, time.Minute
	needMosquitto(b)
	words := []string{"always", "every 1m"}
	gateways := make([]*hourRig, len(words))
	for i, online := range words {
		gateways[i] = newHourRig(b, online)
	}
	began := time.Now()
	sleeper := gateways[1].gateway
	eventually(b, 2*period, "it sleeps, far from its next waking", func() bool {
		s, err := sleeper.ask()
		into := time.Since(time.Now().Truncate(period))
		return err == nil && s.Health.Link.Asleep && time.Since(began) > period/2 && into > 5*time.Second && into < 45*time.Second
	})
	before := make([]hourCost, len(words))
	for i, g := range gateways {
		before[i] = g.cost()
	}
	time.Sleep(periods * period)
	const perHour = float64(time.Hour / (periods * period))
	for i, g := range gateways {
		was, is := before[i], g.cost()
		connections := is.line.connections - was.line.connections
		if want := i * periods; connections != want {
			b.Errorf("%s: %d connections in %v, want %d", words[i], connections, periods*period, want)
		}
		runOnce(b, strings.ReplaceAll(words[i], " ", "-"), func(b *testing.B) figures {
			bytes, connected := float64(is.line.bytes-was.line.bytes), (is.line.connected - was.line.connected).Seconds()
			f := figures{"B/h": bytes * perHour, "connected-s/h": connected * perHour, "card-B/h": float64(is.card-was.card) * perHour, "disk-B/h": float64(is.disk-was.disk) * perHour}
			if connections > 0 {
				f["B/waking"], f["connected-ms/waking"] = bytes/float64(connections), 1000*connected/float64(connections)
			}
			return f
		})
		if code := g.gateway.stop(); code != exitDone {
			b.Errorf("%s: exit code %d", words[i], code)
		}
	}
}

// hourRig is a gateway with its own mosquitto behind a line that counts.
type hourRig struct {
	gateway *gatewayRig
	line    *delayLine
}

// hourCost is what a gateway has cost so far.
type hourCost struct {
	line       lineCost
	card, disk uint64
}

func newHourRig(b *testing.B, online string) *hourRig {
	b.Helper()
	a := newAuthority(b)
	a.issue("server", []net.IP{net.IPv4(127, 0, 0, 1)}, false)
	m := newMosquitto(b)
	m.secure(a)
	line := newDelayLine(b, "127.0.0.1:"+m.port, 0)
	text := fmt.Sprintf("[mqtt.tls]\nca_file = %q\n", a.path("ca.pem"))
	for i := range 10 {
		text += fmt.Sprintf("[[sensor]]\nname = \"s%d\"\ndriver = \"sim\"\nevery = \"1m\"\n", i)
	}
	g := newGateway(b, strings.Replace(line.url(), "mqtt:", "mqtts:", 1), text)
	g.mqtt(fmt.Sprintf("online = %q", online))
	g.running()
	return &hourRig{g, line}
}

func (h *hourRig) cost() hourCost {
	h.gateway.t.Helper()
	s, err := h.gateway.ask()
	if err != nil {
		h.gateway.t.Fatal(err)
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", h.gateway.cmd.Process.Pid))
	if err != nil {
		h.gateway.t.Fatal(err)
	}
	c := hourCost{line: h.line.used(), card: s.Health.Flash.Bytes}
	_, rest, _ := strings.Cut(string(text), "\nwrite_bytes:")
	if _, err := fmt.Sscan(rest, &c.disk); err != nil {
		h.gateway.t.Fatal(err)
	}
	return c
}
