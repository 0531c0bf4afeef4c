package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/compress"
	"github.com/fieldgate/fieldgate/mqtt"
)

// TestCompressedTelemetryIsProven: a gateway that compresses, over an outage, is COMPLETE for
// verify as a subscriber and from a file of mosquitto_sub; messages say how they are compressed,
// and what is no telemetry is not.
func TestCompressedTelemetryIsProven(t *testing.T) {
	for _, word := range []string{"gzip", "zstd"} {
		t.Run(word, func(t *testing.T) {
			m := newMosquitto(t)
			g := newGateway(t, m.url(), fmt.Sprintf("[telemetry]\ncompress = %q\nlinger = \"500ms\"\n[buffer]\nmax_loss = \"2s\"\n"+
				"[[sensor]]\nname = \"fast\"\ndriver = \"sim\"\nevery = \"10ms\"\n", word))
			var mu sync.Mutex
			var marked, plain, wrong int
			listen(t, m.url(), func(msg *mqtt.Message) {
				mu.Lock()
				defer mu.Unlock()
				encoding := ""
				for _, p := range msg.UserProperties {
					if p.Key == "content-encoding" {
						encoding = p.Value
					}
				}
				text, err := compress.Decode(msg.Payload, 1<<20)
				small := !bytes.Equal(text, msg.Payload)
				switch telemetry := strings.Contains(msg.Topic, "/telemetry/"); {
				case err != nil, small != (encoding == word), small && !telemetry:
					wrong++
				case small:
					marked++
				case telemetry:
					plain++
				}
			})
			file, err := os.Create(g.path("lines"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			m.client("mosquitto_sub", "-q", "1", "-c", "-i", "file", "-x", "60", "-t", "fieldgate/#", "-E") // makes the session
			sub := exec.Command("mosquitto_sub", "-V", "5", "-p", m.port, "-q", "1", "-c", "-i", "file", "-x", "60", "-t", "fieldgate/#", "-F", `{"topic":"%t","payload_hex":"%x"}`)
			sub.Stdout = file
			if err := sub.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = sub.Process.Kill(); _ = sub.Wait() }()
			g.running()
			g.online()
			count := func() int { mu.Lock(); defer mu.Unlock(); return marked }
			eventually(t, 10*time.Second, "compressed messages arrive", func() bool { return count() > 3 })
			m.stop()
			eventually(t, 10*time.Second, "readings wait", func() bool {
				s, err := g.ask()
				return err == nil && s.Health.Queue.Live+s.Health.Queue.Backlog > 50
			})
			m.start()
			before := count()
			eventually(t, 20*time.Second, "compressed messages arrive again", func() bool { return count() > before+3 })
			if code := g.stop(); code != exitDone {
				t.Fatalf("exit code %d", code)
			}
			g.running()
			g.online()
			eventually(t, 10*time.Second, "the boot event is in the file", func() bool {
				text, err := os.ReadFile(g.path("lines"))
				return err == nil && bytes.Count(text, []byte("/events/boot")) >= 2
			})
			if out, code := g.command("verify", g.path("lines")); code != exitDone || !strings.Contains(out, "COMPLETE") {
				t.Errorf("verify: exit code %d\n%s", code, out)
			}
			mu.Lock()
			defer mu.Unlock()
			if wrong > 0 || marked == 0 {
				t.Errorf("%d compressed, %d as they are, %d wrong", marked, plain, wrong)
			}
		})
	}
}
