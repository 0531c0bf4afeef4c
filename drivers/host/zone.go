package host

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fieldgate/fieldgate/drivers"
)

const (
	thermal    = "sys/class/thermal"
	zonePrefix = "thermal_zone"
)

// cpuTemperature returns the temperature of the option's thermal zone, or of the processor's. The
// kernel gives it in millidegrees.
func (d *Dev) cpuTemperature() drivers.Value {
	zone := d.zone()
	if zone == "" {
		return absent()
	}
	text, ok := d.read(filepath.Join(thermal, zone, "temp"))
	if !ok { // some zones answer EAGAIN or EINVAL while their sensor sleeps
		return drivers.Bad("", "not measured")
	}
	v, err := strconv.ParseInt(string(text), 10, 64)
	switch {
	case err != nil:
		return malformed()
	case v < coldest*1000 || v > hottest*1000:
		return drivers.Bad("", "range")
	}
	return drivers.Float("", float64(v)/1000)
}

// zone returns the folder of the thermal zone that is asked for, the first by number if several are
// alike; "" if there is none. It looks each time, as zones appear when their modules are loaded.
func (d *Dev) zone() string {
	folders, _ := filepath.Glob(filepath.Join("/", d.o.root, thermal, zonePrefix+"*"))
	found, best, number := "", 0, 0
	for _, folder := range folders {
		name := filepath.Base(folder)
		n, err := strconv.Atoi(strings.TrimPrefix(name, zonePrefix))
		if err != nil {
			continue
		}
		kind, ok := d.read(filepath.Join(thermal, name, "type"))
		if !ok {
			continue
		}
		rank := d.rank(name, strings.ToLower(string(kind)))
		if rank > best || rank == best && rank > 0 && n < number {
			found, best, number = name, rank, n
		}
	}
	return found
}

// rank returns how well a thermal zone is the one that is asked for; 0 is not at all. The
// processor's is named "cpu-thermal" on Raspberry Pi and most ARM boards, "CPU-therm",
// "cpu0-thermal", "mtktscpu" and so on; "soc-thermal" is the chip's that the processor is on, but
// "soc" alone is a battery's state of charge.
func (d *Dev) rank(folder, kind string) int {
	processor := []string{"x86_pkg_temp", "imx_thermal_zone", "bcm2835_thermal"}
	switch {
	case d.o.ThermalZone != "":
		if folder == d.o.ThermalZone || kind == strings.ToLower(d.o.ThermalZone) {
			return 1
		}
	case strings.Contains(kind, "batt"):
	case strings.Contains(kind, "cpu"), slices.Contains(processor, kind):
		return 2
	case strings.Contains(kind, "soc") && strings.Contains(kind, "therm"):
		return 1
	}
	return 0
}
