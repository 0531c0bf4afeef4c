package board

import (
	"os"
	"path/filepath"
	"strings"
)

// A Board is a machine and its system.
type Board struct {
	Model  string // "Raspberry Pi 4 Model B Rev 1.4"; "" if nothing says it
	System string // "Debian GNU/Linux 12 (bookworm)"; "" if nothing says it
	ways   ways
}

// String returns what is known of model and system; "" if nothing is.
func (b Board) String() string {
	if b.Model != "" && b.System != "" {
		return b.Model + ", " + b.System
	}
	return b.Model + b.System
}

// Here returns what the program runs on.
func Here() Board { return At("/") }

// At returns the board whose files are below a root.
func At(root string) Board {
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(root, name)) // absent on most
		return strings.Trim(string(text), "\x00 \t\r\n")
	}
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(root, name))
		return err == nil
	}
	release := osRelease(read("etc/os-release"))
	tree := read("proc/device-tree/model")
	b := Board{Model: tree, System: release["PRETTY_NAME"]}
	config := "/boot/firmware/config.txt"
	if !has(config) && has("boot/config.txt") {
		config = "/boot/config.txt" // before Debian 12
	}
	pi := strings.HasPrefix(tree, "Raspberry Pi")
	switch {
	case has("etc/armbian-release") && !pi:
		b.ways = armbian
	case pi && (has("etc/rpi-issue") || release["ID"] == "raspbian"):
		// In 64 bits os-release says no more than "debian".
		b.System = strings.Replace(b.System, "Debian GNU/Linux", "Raspberry Pi OS", 1)
		b.ways = raspberryPiOS(config)
	case pi && release["ID"] == "debian":
		b.ways = debianOnPi
	case pi:
		b.ways = firmware(config)
	case strings.Contains(tree, "BeagleBone"), strings.Contains(tree, "PocketBeagle"):
		b.ways = beagle
	case tree != "":
		b.ways = deviceTree
	default:
		b.Model = strings.TrimSpace(read("sys/class/dmi/id/sys_vendor") + " " + read("sys/class/dmi/id/product_name"))
		b.ways = pc
	}
	return b
}

// osRelease returns the variables of os-release(5).
func osRelease(text string) map[string]string {
	variables := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			variables[name] = strings.Trim(value, `"'`)
		}
	}
	return variables
}
