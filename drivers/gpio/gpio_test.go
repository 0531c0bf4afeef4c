package gpio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
)

// A model is a kernel with one GPIO chip of 28 pins as a Raspberry Pi has it, of which one at a
// time may be taken.
type model struct {
	t        *testing.T
	openErr  error
	refuse   error // of requests
	failing  error // of calls on the request
	taken    *uapi.LineRequest
	level    bool // of the wire
	output   []bool
	edges    []byte // not read yet
	number   uint32
	files    int // open ones
	consumer string
}

const requestFile = 77

func (m *model) chips() []string { return []string{"/dev/gpiochip0"} }

func (m *model) open(string) (int, error) {
	if m.openErr != nil {
		return 0, m.openErr
	}
	m.files++
	return 5, nil
}

func (m *model) close(fd int) error {
	if m.files--; m.files < 0 {
		m.t.Error("a file was closed twice")
	}
	if fd == requestFile {
		m.taken = nil
	}
	return nil
}

func (m *model) chipInfo(int) (i uapi.ChipInfo, err error) {
	copy(i.Name[:], "gpiochip0")
	copy(i.Label[:], "pinctrl-bcm2835")
	i.Lines = 28
	return i, nil
}

func (m *model) lineInfo(_, line int) (i uapi.LineInfoV2, err error) {
	copy(i.Name[:], fmt.Sprintf("GPIO%d", line))
	copy(i.Consumer[:], m.consumer)
	return i, nil
}

func (m *model) request(_ int, r *uapi.LineRequest) error {
	switch {
	case m.refuse != nil:
		return m.refuse
	case m.taken != nil:
		return syscall.EBUSY
	case r.Lines != 1 || string(r.Consumer[:9]) != consumer:
		m.t.Errorf("request: %d lines for %s", r.Lines, r.Consumer)
	}
	taken := *r
	m.taken = &taken
	m.files++
	m.number, m.edges = 0, nil
	r.Fd = requestFile
	return m.configure(requestFile, &r.Config)
}

func (m *model) configure(_ int, c *uapi.LineConfig) error {
	m.taken.Config = *c
	if c.Flags.IsOutput() {
		for _, a := range c.Attrs[:c.NumAttrs] {
			if a.Attr.ID == uapi.LineAttributeIDOutputValues {
				m.drive(a.Attr.Value64() != 0)
			}
		}
	}
	return nil
}

// drive sets the wire to a logical level.
func (m *model) drive(active bool) {
	m.level = active != m.taken.Config.Flags.IsActiveLow()
	m.output = append(m.output, m.level)
}

func (m *model) get(_ int, v *uapi.LineValues) error {
	if m.failing != nil {
		return m.failing
	}
	v.Bits = bits(m.level != m.taken.Config.Flags.IsActiveLow())
	return nil
}

func (m *model) set(_ int, v uapi.LineValues) error {
	if m.failing != nil {
		return m.failing
	}
	if !m.taken.Config.Flags.IsOutput() {
		return syscall.EPERM
	}
	m.drive(v.Bits != 0)
	return nil
}

func (m *model) read(_ int, b []byte) (int, error) {
	if m.failing != nil {
		return 0, m.failing
	}
	if len(m.edges) == 0 {
		return 0, syscall.EAGAIN
	}
	n := copy(b[:len(b)/eventSize*eventSize], m.edges)
	m.edges = m.edges[n:]
	return n, nil
}

// edge adds one; as in the kernel the oldest goes when there are too many.
func (m *model) edge(at time.Duration) {
	m.number++
	var e [eventSize]byte
	binary.NativeEndian.PutUint64(e[:], uint64(at))
	binary.NativeEndian.PutUint32(e[8:], uint32(uapi.LineEventRisingEdge))
	binary.NativeEndian.PutUint32(e[16:], m.number)
	binary.NativeEndian.PutUint32(e[20:], m.number)
	if m.edges = append(m.edges, e[:]...); len(m.edges) > int(m.taken.EventBufferSize)*eventSize {
		m.edges = m.edges[eventSize:]
	}
}

func TestDrivers(t *testing.T) {
	in := func(edges string) func(any) {
		return func(o any) {
			i := o.(*InOptions)
			i.Line, i.Edges, i.kernel = "GPIO17", edges, &model{t: t}
		}
	}
	t.Run("in", drivertest.Suite{Spec: SpecIn, Options: in("none")}.Run)
	t.Run("counter", drivertest.Suite{Spec: SpecIn, Options: in("both")}.Run)
	for _, initial := range []string{"off", "keep"} {
		t.Run("out "+initial, drivertest.Suite{Spec: SpecOut, Options: func(o any) {
			out := o.(*OutOptions)
			out.Line, out.Chip, out.Initial, out.kernel = "4", "pinctrl-bcm2835", initial, &model{t: t}
		}}.Run)
	}
}

func openInput(t *testing.T, m *model, o InOptions) *In {
	t.Helper()
	o.Line, o.kernel = "GPIO17", m
	d, err := OpenIn(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCounter(t *testing.T) {
	m := &model{t: t}
	d := openInput(t, m, InOptions{Edges: "rising", Debounce: 5 * time.Millisecond})
	if m.files != 1 {
		t.Errorf("want the request's file open alone, got %d", m.files)
	}
	if a := m.taken.Config.Attrs[0].Attr; a.ID != uapi.LineAttributeIDDebounce || a.Value32() != 5000 || m.taken.Offsets[0] != 17 {
		t.Errorf("want pin 17 with a debounce of 5000 µs, got %+v", a)
	}
	s := time.Second
	steps := []struct {
		name  string
		edges []time.Duration
		want  string
	}{
		{"none yet", nil, "count=0(int), frequency=0(float)"},
		{"one has no period", []time.Duration{10 * s}, "count=1(int), frequency=bad(not measured)"},
		{"since the last of the interval before", []time.Duration{11 * s, 12 * s}, "count=3(int), frequency=1(float)"},
		{"fast", []time.Duration{12*s + s/4, 12*s + s/2}, "count=5(int), frequency=4(float)"},
		{"stopped", nil, "count=5(int), frequency=0(float)"},
		{"one after a pause", []time.Duration{22*s + s/2}, "count=6(int), frequency=0.1(float)"},
		{"stopped again", nil, "count=6(int), frequency=0(float)"},
		{"several after a pause", []time.Duration{100 * s, 101 * s, 102 * s}, "count=9(int), frequency=1(float)"},
	}
	for _, step := range steps {
		for _, at := range step.edges {
			m.edge(at)
		}
		values, err := d.Read(t.Context())
		if got := fmt.Sprintf("%#v %v", values, err); !strings.Contains(got, step.want) {
			t.Errorf("%s: want %s, got %s", step.name, step.want, got)
		}
	}
}

// More edges than the kernel keeps are counted all the same, and have the right frequency.
func TestMoreEdgesThanTheKernelKeeps(t *testing.T) {
	m := &model{t: t}
	d := openInput(t, m, InOptions{Edges: "both"})
	for i := range 50_000 {
		m.edge(time.Duration(i) * time.Millisecond)
	}
	values, err := d.Read(t.Context())
	if err != nil || values[1].Int() != 50_000 || values[2].Float() != 500 {
		t.Errorf("want 50000 edges, 500 periods a second, got %#v, %v", values, err)
	}
	if allocs := testing.AllocsPerRun(10, func() { m.edge(60 * time.Second); _, err = d.Read(t.Context()) }); allocs > 3 || err != nil { // the model's
		t.Errorf("a reading allocates %v times, %v", allocs, err)
	}
}

// What no kernel says: events cut off, and of any bytes. They count as something, but do no harm.
func TestGarbledEvents(t *testing.T) {
	for seed := range uint64(50) {
		m, r := &model{t: t}, rand.New(rand.NewPCG(seed, 0))
		d := openInput(t, m, InOptions{Edges: "both"})
		m.edges = make([]byte, r.IntN(5*eventSize))
		for i := range m.edges {
			m.edges[i] = byte(r.Uint32())
		}
		values, err := d.Read(t.Context())
		if err != nil || len(values) != 3 || values[1].Int() < 0 || values[2].Float() < 0 {
			t.Errorf("seed %d: got %#v, %v", seed, values, err)
		}
		count := values[1].Int()
		m.edges, m.number = nil, uint32(count)
		for i := range 2 {
			m.edge(time.Duration(i) * time.Second)
			values, err = d.Read(t.Context())
		}
		if err != nil || values[1].Int() != count+2 || values[2].Float() != 0.5 {
			t.Errorf("seed %d: want two edges more, half a period a second, got %#v, %v", seed, values, err)
		}
	}
}

// The number of the edges has 32 bits, the count more.
func TestCountGoesOnWhereTheKernelsBeginsAnew(t *testing.T) {
	m := &model{t: t}
	d := openInput(t, m, InOptions{Edges: "rising"})
	m.number = 1<<32 - 2
	m.edge(time.Second)
	if _, err := d.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.edge(2 * time.Second)
	m.edge(3 * time.Second)
	values, err := d.Read(t.Context())
	if err != nil || values[1].Int() != 1<<32+1 || values[2].Float() != 1 {
		t.Errorf("got %#v, %v", values, err)
	}
}

func TestInputFlags(t *testing.T) {
	m := &model{t: t, level: false}
	d := openInput(t, m, InOptions{ActiveLow: true, Bias: "pull-up", Edges: "none"})
	if want := uapi.LineFlagV2Input | uapi.LineFlagV2ActiveLow | uapi.LineFlagV2BiasPullUp; m.taken.Config.Flags != want {
		t.Errorf("flags: want %b, got %b", want, m.taken.Config.Flags)
	}
	if values, err := d.Read(t.Context()); err != nil || len(values) != 1 || !values[0].Bool() {
		t.Errorf("want active at ground, got %#v, %v", values, err)
	}
}

func TestOutput(t *testing.T) {
	tests := []struct {
		initial, atClose string
		activeLow, wire  bool // before
		// levels that the wire was driven to: at the start (twice unless it is kept), by Write(on),
		// at the end
		want string
	}{
		{"off", "off", false, true, "[false false true false]"},
		{"on", "keep", false, false, "[true true true]"},
		{"off", "on", true, false, "[true true false false]"},
		{"keep", "keep", false, true, "[true true]"},
		{"keep", "off", true, false, "[false false true]"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s to %s, active low %v", test.initial, test.atClose, test.activeLow), func(t *testing.T) {
			m := &model{t: t, level: test.wire}
			d, err := OpenOut(t.Context(), OutOptions{Line: "GPIO17", ActiveLow: test.activeLow, Initial: test.initial, AtClose: test.atClose, Drive: "push-pull", kernel: m})
			if err != nil {
				t.Fatal(err)
			}
			w := drivers.Writer(d)
			if err := errors.Join(w.Write(t.Context(), drivers.Bool("state", true)), d.Close(), d.Close()); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(m.output); got != test.want || m.files != 0 {
				t.Errorf("want %s and no file open, got %s, %d open", test.want, got, m.files)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name  string
		model model
		o     InOptions
		want  string
	}{
		{"busy", model{refuse: syscall.EBUSY, consumer: "w1"}, InOptions{Line: "GPIO4"}, "gpio-in: pin GPIO4: it is in use by w1: choose another"},
		{"no edges", model{refuse: syscall.ENXIO}, InOptions{Line: "GPIO4", Edges: "both"}, "its chip cannot report edges"},
		{"no bias", model{refuse: syscall.EINVAL}, InOptions{Line: "GPIO4", Bias: "pull-up"}, "cannot do what the options ask for"},
		{"no such name", model{}, InOptions{Line: "PA7"}, "no chip has a pin of that name (gpioinfo of the Debian package gpiod lists them). Present: gpiochip0 (pinctrl-bcm2835, 28 pins)"},
		{"no such number", model{}, InOptions{Line: "28", Chip: "gpiochip0"}, "chip gpiochip0 has no such pin: it has 28"},
		{"no such chip", model{}, InOptions{Line: "GPIO4", Chip: "pinctrl-rp1"}, "there is no chip pinctrl-rp1. Present: gpiochip0 (pinctrl-bcm2835, 28 pins)"},
		{"permission", model{openErr: os.NewSyscallError("open", syscall.EACCES)}, InOptions{Line: "GPIO4"}, "GPIO chip /dev/gpiochip0: permission denied"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := test.model
			m.t, test.o.kernel = t, &m
			_, err := OpenIn(t.Context(), test.o)
			if err == nil || !strings.Contains(err.Error(), test.want) || m.files != 0 {
				t.Errorf("want %q and no file open, got %v, %d open", test.want, err, m.files)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENODEV} {
		m := &model{t: t}
		d := openInput(t, m, InOptions{Edges: "both"})
		m.failing = errno
		if values, err := d.Read(t.Context()); !errors.Is(err, errno) || errors.Is(err, os.ErrClosed) != (errno == syscall.ENODEV) || values != nil {
			t.Errorf("%v: got %#v, %v", errno, values, err)
		}
	}
	m := &model{t: t}
	d, err := OpenOut(t.Context(), OutOptions{Line: "GPIO4", Initial: "off", AtClose: "off", kernel: m})
	if err != nil {
		t.Fatal(err)
	}
	m.failing = syscall.EIO
	if err := d.Write(t.Context(), drivers.Bool("state", true)); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
	if err := d.Close(); !errors.Is(err, syscall.EIO) || m.files != 0 {
		t.Errorf("want the error and the file closed, got %v, %d open", err, m.files)
	}
}

func TestCheck(t *testing.T) {
	err := errors.Join(
		(&InOptions{Line: "17", Bias: "up", Edges: "any", Debounce: 2 * time.Second}).Check(),
		(&OutOptions{Drive: "hard", Initial: "maybe", AtClose: "never"}).Check(),
	)
	for _, want := range []string{"option chip: it is missing", "option bias", "option edges", "option debounce: 2 s", "option line: it is missing", "option drive", "option initial", "option at_close"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// The real calls refuse a file that is no GPIO chip; a machine with chips has them listed.
func TestLinux(t *testing.T) {
	if _, _, err := look(linux{}, os.DevNull); !errors.Is(err, syscall.ENOTTY) {
		t.Errorf("want ENOTTY of %s, got %v", os.DevNull, err)
	}
	for _, c := range Chips() {
		t.Logf("%+v", c)
		if c.Lines == 0 {
			t.Errorf("a chip without lines: %+v", c)
		}
	}
}
