package pms5003

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/stream"
)

// Options are what the configuration may set.
type Options struct {
	WarmUp    time.Duration `toml:"warm_up" doc:"how long its numbers are not trusted after it was switched on, 0s to 5m"`
	Sleep     bool          `toml:"sleep" doc:"switch laser and fan off between readings; set the sensor's timeout to warm_up and 15 s more"`
	Standard  bool          `toml:"standard" doc:"masses by the factory's calibration particles (CF=1) instead of under atmospheric conditions"`
	Particles bool          `toml:"particles" doc:"the numbers of particles too"`
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	if o.WarmUp < 0 || o.WarmUp > 5*time.Minute {
		return &drivers.OptionError{Key: "warm_up", Err: fmt.Errorf("%v; want 0s to 5m", o.WarmUp)}
	}
	return nil
}

// Spec is the entry of the PMS5003 in the table of drivers.
var Spec = pms5003.spec("Plantower PMS5003: fine dust and particles", Open)

// SpecPMS7003 is the entry of the PMS7003.
var SpecPMS7003 = pms7003.spec("Plantower PMS7003: fine dust and particles", OpenPMS7003)

// A model is the name of a sensor. They speak alike.
type model string

const (
	pms5003 model = "pms5003"
	pms7003 model = "pms7003"
)

func (m model) spec(doc string, open func(context.Context, drivers.Port, Options) (*Dev, error)) drivers.Spec {
	return drivers.Serial(string(m), doc, Options{WarmUp: 30 * time.Second}, fields, mode, open)
}

func mode(*Options) drivers.SerialMode { return drivers.SerialMode{Baud: 9600} }

func fields(o *Options) []drivers.Field {
	conditions := "under atmospheric conditions"
	if o.Standard {
		conditions = "by calibration particles"
	}
	var fields []drivers.Field
	for _, f := range []struct{ name, size string }{{"pm1", "1"}, {"pm2_5", "2.5"}, {"pm10", "10"}} {
		fields = append(fields, drivers.Field{Name: f.name, Unit: drivers.Dust.Unit(), Kind: drivers.KindInt, Range: drivers.AtLeast(0),
			Doc: "mass of particles up to " + f.size + " µm, " + conditions})
	}
	if !o.Particles {
		return fields
	}
	for _, f := range []struct{ name, size string }{{"0_3", "0.3"}, {"0_5", "0.5"}, {"1", "1"}, {"2_5", "2.5"}, {"5", "5"}, {"10", "10"}} {
		fields = append(fields, drivers.Field{Name: "particles_" + f.name, Unit: drivers.Count.Unit(), Kind: drivers.KindInt, Range: drivers.AtLeast(0),
			Doc: "particles of more than " + f.size + " µm in 0.1 l of air"})
	}
	return fields
}

// Where things are in a frame: appendix I.
const (
	head         = 4 // with the length of what follows
	standardAt   = 4
	atmosphereAt = 10
	particlesAt  = 16
	sumSize      = 2
)

// lengths are the length words of the frames that are read: of a PMS3003, which has no particles,
// of a PMS5003 and PMS7003, and of a PMS5003ST, which has more behind them.
func lengths() []int { return []int{20, 28, 36} }

// Commands, without header and checksum: appendix II.
const (
	setMode   = 0xe1 // 0 passive, 1 active
	setActive = 0xe4 // 0 sleep, 1 wake up
)

// Dev is a sensor.
type Dev struct {
	model  model
	o      Options
	port   drivers.Port
	reader *stream.Reader
	frames []stream.Frames // by lengths
	warm   stream.WarmUp
	fields []drivers.Field
	frame  []byte
	values []drivers.Value
	closed bool
}

// Open wakes a PMS5003 on a port, which stays the caller's. The options must pass Check.
func Open(ctx context.Context, port drivers.Port, o Options) (*Dev, error) {
	return pms5003.open(ctx, port, o)
}

// OpenPMS7003 is Open for a PMS7003.
func OpenPMS7003(ctx context.Context, port drivers.Port, o Options) (*Dev, error) {
	return pms7003.open(ctx, port, o)
}

func (m model) open(ctx context.Context, port drivers.Port, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &Dev{model: m, o: o, port: port, reader: stream.NewReader(port), fields: fields(&o)}
	for _, n := range lengths() {
		d.frames = append(d.frames, stream.Frames{Header: []byte{0x42, 0x4d, 0, byte(n)}, Size: head + n, Valid: valid})
	}
	if err := d.command(setActive, 1); err != nil {
		return nil, err
	}
	if err := d.command(setMode, 1); err != nil {
		return nil, err
	}
	if !o.Sleep { // otherwise each reading waits for it
		d.warm = stream.StartWarmUp(o.WarmUp)
	}
	return d, nil
}

// valid checks the sum of a frame.
func valid(frame []byte) bool {
	at := len(frame) - sumSize
	return sum(frame[:at]) == binary.BigEndian.Uint16(frame[at:])
}

func sum(b []byte) (s uint16) {
	for _, c := range b {
		s += uint16(c)
	}
	return s
}

func (d *Dev) command(code, argument byte) error {
	c := []byte{0x42, 0x4d, code, 0, argument}
	if _, err := d.port.Write(binary.BigEndian.AppendUint16(c, sum(c))); err != nil {
		return fmt.Errorf("%s: %w", d.model, err)
	}
	return nil
}

// Read returns the newest frame. A sensor that sleeps between readings is woken up for it.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if d.o.Sleep {
		if err := d.command(setActive, 1); err != nil {
			return nil, err
		}
		if err := drivers.Wait(ctx, d.o.WarmUp); err != nil {
			return nil, fmt.Errorf("%s: it needs %v to warm up (option warm_up), and the sensor's timeout more than that: %w", d.model, d.o.WarmUp, err)
		}
	}
	err := d.reader.Newest(ctx, d.take)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, d.explain(err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", d.model, err)
	}
	if d.o.Sleep {
		if err := d.command(setActive, 0); err != nil {
			return nil, err
		}
	}
	return d.decode(), nil
}

// take keeps the last frame in what has come, and reports whether there is one.
func (d *Dev) take(p []byte) (found bool) {
	for i := range d.frames {
		if frame := d.frames[i].Newest(p); frame != nil {
			d.frame, found = frame, true
		}
	}
	return found
}

// explain says what is probably wrong when no frame has come in time.
func (d *Dev) explain(err error) error {
	worst := slices.MaxFunc(d.frames, func(a, b stream.Frames) int { return a.Damaged - b.Damaged })
	first := d.reader.Seen.First()
	if worst.Damaged == 0 && len(first) > head && first[0] == 0x42 && first[1] == 0x4d && first[2] == 0 && !slices.Contains(lengths(), int(first[3])) {
		return fmt.Errorf("%s: frames of %d bytes came: the device is none of PMS5003, PMS7003, PMS3003 and PMS5003ST: %w", d.model, head+int(first[3]), err)
	}
	return worst.Explain(string(d.model), &d.reader.Seen, mode(nil), err)
}

// decode returns the fields of the frame.
func (d *Dev) decode() []drivers.Value {
	d.values = d.values[:0]
	warm := d.warm.Over()
	for i, f := range d.fields {
		at := atmosphereAt + 2*i
		switch {
		case i >= 3:
			at = particlesAt + 2*(i-3)
		case d.o.Standard:
			at = standardAt + 2*i
		}
		switch {
		case !warm:
			d.values = append(d.values, drivers.Bad(f.Name, "warming up"))
		case i >= 3 && len(d.frame) < particlesAt+2*6+sumSize:
			d.values = append(d.values, drivers.Bad(f.Name, "not present"))
		default:
			d.values = append(d.values, drivers.Int(f.Name, int64(binary.BigEndian.Uint16(d.frame[at:]))))
		}
	}
	return d.values
}

// Close switches laser and fan off.
func (d *Dev) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	d.warm.Stop()
	return d.command(setActive, 0)
}
