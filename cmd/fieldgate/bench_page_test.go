package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkPage is what the status page costs: off, on while nobody looks, and with five viewers.
func BenchmarkPage(b *testing.B) {
	for _, set := range []struct {
		name    string
		on      bool
		viewers int
	}{{"off", false, 0}, {"nobody", true, 0}, {"five-viewers", true, 5}} {
		runOnce(b, set.name, func(b *testing.B) figures {
			m := newMosquitto(b)
			g, host := newPageGateway(b, m.url())
			if !set.on {
				text, err := os.ReadFile(g.path("fieldgate.toml"))
				if err == nil {
					err = os.WriteFile(g.path("fieldgate.toml"), bytes.Replace(text, []byte("listen = "), []byte("# listen = "), 1), 0o600)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			g.running()
			g.online()
			for range set.viewers {
				r, err := http.Get("http://" + host + "/events")
				if err != nil {
					b.Fatal(err)
				}
				defer r.Body.Close()
				go func() { _, _ = io.Copy(io.Discard, r.Body) }() // ends when the body is closed
			}
			time.Sleep(5 * time.Second)
			const span = 30 * time.Second
			before, peak := g.cpu(), 0
			for range 60 {
				time.Sleep(span / 60)
				peak = max(peak, g.resident())
			}
			used := g.cpu() - before
			return figures{"RSS-MiB": float64(peak) / 1024, "CPU-%": used.Seconds() / span.Seconds() * 100}
		})
	}
}

// cpu is what the process has used so far.
func (g *gatewayRig) cpu() time.Duration {
	g.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.cmd.Process.Pid))
	if err != nil {
		g.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	var ticks time.Duration
	for _, f := range fields[11:13] { // user and system, in hundredths of a second
		n, err := strconv.Atoi(f)
		if err != nil {
			g.t.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * 10 * time.Millisecond
}
