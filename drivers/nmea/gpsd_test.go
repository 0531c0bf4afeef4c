package nmea

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bus"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// TPV is gpsd's report of a fix.
type tpv struct {
	Class         string
	Time          string
	Lat, Lon      *float64
	Speed, AltMSL *float64
}

// The logs that real receivers wrote, as the sources of gpsd have them, played into a port: where
// gpsd says where the receiver was, we say the same. FIELDGATE_GPSD_LOGS is the folder test/daemon
// of gpsd's sources.
func TestGPSDLogs(t *testing.T) {
	folder := os.Getenv("FIELDGATE_GPSD_LOGS")
	if folder == "" {
		t.Skip("FIELDGATE_GPSD_LOGS does not name a folder with gpsd's logs (make test-gpsd)")
	}
	logs, err := filepath.Glob(filepath.Join(folder, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs in %s: %v", folder, err)
	}
	var total tally
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`\$..(RMC|GGA|GNS|GLL),`).Match(text) {
			continue
		}
		one := replay(t, log, text)
		if one.compared > 0 {
			total.logs++
		}
		total.add(one)
		if one.different > 0 || testing.Verbose() && one.compared == 0 && one.fixes > 0 {
			t.Logf("%-32s %+v", filepath.Base(log), one)
		}
	}
	t.Logf("%d logs; %d epochs with a fix, %d compared with gpsd: %d equal, %d different; greatest difference of an equal one %.2g degrees, %.3f m/s",
		total.logs, total.fixes, total.compared, total.compared-total.different, total.different, total.angle, total.speed)
	if total.compared < 2000 || total.different > total.compared/200 {
		t.Errorf("want at least 2000 epochs compared, and at most 0.5 %% of them different")
	}
}

const (
	layout    = "2006-01-02T15:04:05.000Z"
	timeOfDay = len("2006-01-02T")
)

type tally struct {
	logs, epochs, fixes, compared, different int
	angle, speed                             float64
}

func (a *tally) add(b tally) {
	a.epochs += b.epochs
	a.fixes += b.fixes
	a.compared += b.compared
	a.different += b.different
	a.angle, a.speed = max(a.angle, b.angle), max(a.speed, b.speed)
}

// reports returns gpsd's fixes by their time of day: it moves dates that it thinks are from before
// a week rollover.
func reports(t *testing.T, log string) map[string][]tpv {
	f, err := os.Open(log + ".chk")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[string][]tpv{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r tpv
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.Class == "TPV" && r.Lat != nil && r.Lon != nil && len(r.Time) == len(layout) {
			at := r.Time[timeOfDay:]
			all[at] = append(all[at], r)
		}
	}
	return all
}

// replay plays a log into a port, an epoch at a time, and compares.
func replay(t *testing.T, log string, text []byte) tally {
	device, port := drivertest.Pty(t)
	host := bus.New(slog.New(slog.DiscardHandler))
	defer host.Close()
	o := Spec.Options().(*Options)
	o.Baud = 115200
	o.since = time.Date(1980, 1, 6, 0, 0, 0, 0, time.UTC) // the logs are old
	o.Fields = []string{"latitude", "longitude", "speed", "time"}
	d, err := Spec.Open(t.Context(), host, port, o)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	var got tally
	want := reports(t, log)
	for _, part := range epochs(text) {
		for len(part) > 0 { // a pseudo-terminal does not keep much
			n := min(len(part), 2048)
			if _, err := device.Write(part[:n]); err != nil {
				t.Fatal(err)
			}
			part = part[n:]
			if len(part) > 0 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				values, err := d.Read(ctx)
				cancel()
				if err == nil {
					got.compare(t, log, values, want)
				}
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		values, err := d.Read(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", log, err)
		}
		got.compare(t, log, values, want)
	}
	return got
}

func (a *tally) compare(t *testing.T, log string, values []drivers.Value, want map[string][]tpv) {
	a.epochs++
	if values[0].Kind() != drivers.KindFloat || values[1].Kind() != drivers.KindFloat {
		return
	}
	a.fixes++
	at := values[3].Text()
	if len(at) != len(layout) {
		return
	}
	all := want[at[timeOfDay:]]
	if len(all) == 0 {
		return
	}
	a.compared++
	limit := 1.7e-6 // sentences of an epoch differ by a ten-thousandth of a minute
	odd := slices.Contains(contradictory(), filepath.Base(log))
	if odd {
		limit = 5e-5
	}
	for _, r := range all { // some logs were put together, and have a time twice
		angle := max(math.Abs(values[0].Float()-*r.Lat), math.Abs(values[1].Float()-*r.Lon))
		speed := 0.0
		if r.Speed != nil && values[2].Kind() == drivers.KindFloat {
			speed = math.Abs(values[2].Float() - *r.Speed)
		}
		if angle <= limit && speed <= 0.06 {
			// of RMC and VTG one may have rounded to a tenth of a knot
			if !odd {
				a.angle, a.speed = max(a.angle, angle), max(a.speed, speed)
			}
			return
		}
	}
	a.different++
	r := all[len(all)-1]
	t.Logf("%s: %s: gpsd has %v %v; we have %#v", filepath.Base(log), r.Time, *r.Lat, *r.Lon, values)
}

// contradictory returns the logs whose sentences tell of several places in one second: gpsd takes
// the last, and we take the GGA.
func contradictory() []string { return []string{"bundg_zeus_9.log"} }

// epochs takes a log apart after each sentence that has another time than the one before.
func epochs(text []byte) [][]byte {
	timed := regexp.MustCompile(`^\$..(?:RMC,|GGA,|GNS,|GLL,[^,]*,[^,]*,[^,]*,[^,]*,)(\d[^,]*),`)
	var parts [][]byte
	var part []byte
	last := ""
	for _, line := range bytes.SplitAfter(text, []byte("\n")) {
		if bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		part = append(part, line...)
		if i := bytes.IndexByte(line, '$'); i >= 0 {
			if m := timed.FindSubmatch(line[i:]); m != nil && strings.TrimRight(string(m[1]), "0.") != last {
				last = strings.TrimRight(string(m[1]), "0.")
				parts = append(parts, part)
				part = nil
			}
		}
	}
	return append(parts, part)
}
