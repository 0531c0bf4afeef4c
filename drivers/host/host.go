package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
	"github.com/fieldgate/fieldgate/drivers/kit/board"
)

// Options are what the configuration may set.
type Options struct {
	Fields      []string `toml:"fields" doc:"which fields, in this order; default all but throttled_flags, model and system"`
	ThermalZone string   `toml:"thermal_zone" doc:"the zone that cpu_temperature is of: what its file type says, or its folder, such as thermal_zone1, in /sys/class/thermal; default the processor's"`
	Path        string   `toml:"path" doc:"a file or folder on the file system that disk_used and disk_free describe"`

	root string // where /proc and /sys are, for tests; "" is /
}

// Spec is the driver's entry in the table.
var Spec = drivers.Machine("host", "this board: temperature, load, memory, disk, uptime", Options{Path: "/"}, fields, Open)

// What a thermal zone can say, °C: some say -273.2 or -274 while their sensor is off.
const coldest, hottest = -60, 200

// A measure makes one field.
type measure struct {
	drivers.Field
	read func(*Dev) drivers.Value
}

// optional fields are only measured if the option fields names them.
const optional = 3

// measures returns all fields that there are, the optional ones last.
func measures() []measure {
	return []measure{
		{drivers.Field{Name: "cpu_temperature", Unit: drivers.Temperature.Unit(), Kind: drivers.KindFloat, Range: drivers.Between(coldest, hottest), Doc: "the processor's thermal zone"}, (*Dev).cpuTemperature},
		{drivers.Field{Name: "load_1m", Kind: drivers.KindFloat, Range: drivers.AtLeast(0), Doc: "processes that ran or waited, mean of a minute"}, (*Dev).load},
		{drivers.Field{Name: "memory_used", Unit: drivers.Bytes.Unit(), Kind: drivers.KindInt, Range: drivers.AtLeast(0), Doc: "memory that programs cannot get any more"}, (*Dev).memoryUsed},
		{drivers.Field{Name: "memory_available", Unit: drivers.Bytes.Unit(), Kind: drivers.KindInt, Range: drivers.AtLeast(0), Doc: "memory that programs can still get"}, (*Dev).memoryAvailable},
		{drivers.Field{Name: "disk_used", Unit: drivers.Bytes.Unit(), Kind: drivers.KindInt, Range: drivers.AtLeast(0), Doc: "space taken on the file system of `path`"}, (*Dev).diskUsed},
		{drivers.Field{Name: "disk_free", Unit: drivers.Bytes.Unit(), Kind: drivers.KindInt, Range: drivers.AtLeast(0), Doc: "space left for programs on the file system of `path`"}, (*Dev).diskFree},
		{drivers.Field{Name: "uptime", Unit: drivers.Duration.Unit(), Kind: drivers.KindFloat, Range: drivers.AtLeast(0), Doc: "time since power-up"}, (*Dev).uptime},
		{drivers.Field{Name: "throttled_flags", Kind: drivers.KindInt, Range: drivers.AtLeast(0), Doc: "Raspberry Pi: 0 is well; bit 0 under-voltage, 1 frequency capped, 2 throttled, 3 temperature limit, now; bits 16 to 19 the same since power-up"}, (*Dev).throttled},
		{drivers.Field{Name: "model", Kind: drivers.KindString, Doc: "the board's model, as its device tree or its firmware has it"}, func(d *Dev) drivers.Value { return known(d.board.Model) }},
		{drivers.Field{Name: "system", Kind: drivers.KindString, Doc: "its operating system, as /etc/os-release has it"}, func(d *Dev) drivers.Value { return known(d.board.System) }},
	}
}

// choice is what the option fields chooses from.
func choice() kit.Fields[measure] {
	f := kit.Fields[measure]{All: measures(), Of: func(m measure) drivers.Field { return m.Field }}
	f.Usual = f.Names()[:len(f.All)-optional]
	return f
}

// Check reports every option that has an impossible value.
func (o *Options) Check() error {
	err := choice().Check(o.Fields)
	if !filepath.IsAbs(o.Path) {
		err = errors.Join(err, &drivers.OptionError{Key: "path", Err: fmt.Errorf("%q is not an absolute path", o.Path)})
	}
	return err
}

func fields(o *Options) []drivers.Field { return choice().Describe(o.Fields) }

// Dev is this board.
type Dev struct {
	o        Options
	board    board.Board
	measures []measure
	values   []drivers.Value
	memory   memory
	disk     syscall.Statfs_t
	diskErr  error
	buf      [4096]byte // what was read of a file
}

// Open makes the driver of this board. The options must pass Check.
func Open(ctx context.Context, o Options) (*Dev, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := &Dev{o: o, board: board.At(filepath.Join("/", o.root)), measures: choice().Chosen(o.Fields)}
	d.values = make([]drivers.Value, len(d.measures))
	return d, nil
}

// Read measures the chosen fields. It does not wait for anything but the kernel, and for the disk
// where `path` is on a network.
func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.readMemory()
	d.diskErr = syscall.Statfs(d.o.Path, &d.disk)
	for i, m := range d.measures {
		v := m.read(d)
		v.Field = m.Name
		d.values[i] = v
	}
	return d.values, nil
}

// Close does nothing.
func (d *Dev) Close() error { return nil }
