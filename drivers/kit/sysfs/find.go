package sysfs

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fieldgate/fieldgate/drivers/kit/board"
)

// A Device is one that the kernel shows.
type Device struct {
	Name   string // what its kernel driver calls it: "ds3231", "bme280"
	Place  string // where it is attached: "1-0068" is address 0x68 of I2C bus 1
	Folder string // with its files
	real   string
}

func (d Device) String() string { return fmt.Sprintf("%s at %s", d.Name, d.Place) }

// List returns the devices whose folders match a pattern, such as "/sys/class/hwmon/hwmon*", in the
// order of their names.
func List(pattern string) []Device {
	folders, _ := filepath.Glob(pattern)
	var all []Device
	for _, folder := range folders {
		real, err := filepath.EvalSymlinks(folder)
		name, nameErr := Text(filepath.Join(folder, "name"))
		if err != nil || nameErr != nil {
			continue
		}
		place := filepath.Dir(real)
		if filepath.Base(place) == "hwmon" { // a folder between the device and its hwmon
			place = filepath.Dir(place)
		}
		all = append(all, Device{Name: name, Place: filepath.Base(place), Folder: folder, real: real})
	}
	slices.SortFunc(all, func(a, b Device) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// Find returns the one device with this name. place, if it is not "", is a part of the path that it
// has in /sys/devices, such as "1-0068", and tells apart devices of one name.
func Find(pattern, name, place string) (Device, error) {
	all := List(pattern)
	var found []Device
	for _, d := range all {
		if d.Name == name && (place == "" || slices.Contains(strings.Split(d.real, "/"), place)) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if place != "" {
			name += " at " + place
		}
		return Device{}, fmt.Errorf("no device is %s: is its kernel driver loaded (%s), and does the device answer? Present: %s: %w",
			name, board.Here().Overlay(), listed(all), fs.ErrNotExist)
	}
	return Device{}, fmt.Errorf("%d devices are named %s: choose one with the option device. Present: %s", len(found), name, listed(found))
}

func listed(devices []Device) string {
	if len(devices) == 0 {
		return "none"
	}
	words := make([]string, len(devices))
	for i, d := range devices {
		words[i] = d.String()
	}
	return strings.Join(words, ", ")
}

// Text returns what a file says, without the white space around it.
func Text(file string) (string, error) {
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}

// Exists reports whether there is a file.
func Exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// A Listed is a device with the names of its channels, for a list of what there is.
type Listed struct {
	Name     string   `json:"name"`
	Device   string   `json:"device"`
	Channels []string `json:"channels"`
}
