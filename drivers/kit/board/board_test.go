package board

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	debian12 = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nID=debian\n"
	pi4      = "Raspberry Pi 4 Model B Rev 1.4\x00"
)

// Files of boards as their images have them, and what an operator is told there.
func TestBoards(t *testing.T) {
	tests := []struct {
		name    string
		files   map[string]string
		want    string // String
		i2c     string // parts of what is said
		oneWire string
		overlay string
	}{
		{"Raspberry Pi OS in 64 bits", map[string]string{"proc/device-tree/model": pi4, "etc/os-release": debian12, "etc/rpi-issue": "Raspberry Pi reference 2023-12-05\n", "boot/firmware/config.txt": "", "boot/config.txt": "moved"},
			"Raspberry Pi 4 Model B Rev 1.4, Raspberry Pi OS 12 (bookworm)", "sudo raspi-config nonint do_i2c 0", "dtoverlay=w1-gpio to /boot/firmware/config.txt", "its dtoverlay in /boot/firmware/config.txt"},
		{"Raspbian 11", map[string]string{"proc/device-tree/model": "Raspberry Pi Zero W Rev 1.1\x00", "etc/os-release": "PRETTY_NAME=\"Raspbian GNU/Linux 11 (bullseye)\"\nID=raspbian\nID_LIKE=debian\n", "boot/config.txt": ""},
			"Raspberry Pi Zero W Rev 1.1, Raspbian GNU/Linux 11 (bullseye)", "sudo raspi-config", "to /boot/config.txt", "its dtoverlay in /boot/config.txt"},
		{"Debian on a Raspberry Pi", map[string]string{"proc/device-tree/model": pi4, "etc/os-release": debian12, "boot/firmware/config.txt": ""},
			"Raspberry Pi 4 Model B Rev 1.4, Debian GNU/Linux 12 (bookworm)", "dtparam=i2c_arm=on to /etc/default/raspi-firmware-custom", "dtoverlay=w1-gpio to /etc/default/raspi-firmware-custom", "/etc/default/raspi-firmware-custom"},
		{"Ubuntu on a Raspberry Pi", map[string]string{"proc/device-tree/model": pi4, "etc/os-release": "PRETTY_NAME='Ubuntu 24.04.1 LTS'\nID=ubuntu\nID_LIKE=debian\n", "boot/firmware/config.txt": ""},
			"Raspberry Pi 4 Model B Rev 1.4, Ubuntu 24.04.1 LTS", "dtparam=i2c_arm=on to /boot/firmware/config.txt", "to /boot/firmware/config.txt", "/boot/firmware/config.txt"},
		{"Armbian", map[string]string{"proc/device-tree/model": "Xunlong Orange Pi Zero\x00", "etc/armbian-release": "BOARD=orangepizero\n", "etc/os-release": "PRETTY_NAME=\"Armbian 24.8.1 bookworm\"\nID=debian\n"},
			"Xunlong Orange Pi Zero, Armbian 24.8.1 bookworm", "sudo armbian-config", "/boot/armbianEnv.txt", "/boot/armbianEnv.txt"},
		{"Armbian on a Raspberry Pi", map[string]string{"proc/device-tree/model": pi4, "etc/armbian-release": "BOARD=rpi4b\n", "boot/firmware/config.txt": ""},
			"Raspberry Pi 4 Model B Rev 1.4", "dtparam=i2c_arm=on to /boot/firmware/config.txt", "to /boot/firmware/config.txt", "/boot/firmware/config.txt"},
		{"BeagleBone", map[string]string{"proc/device-tree/model": "TI AM335x BeagleBone Black\x00", "etc/os-release": debian12},
			"TI AM335x BeagleBone Black, Debian GNU/Linux 12 (bookworm)", "/boot/uEnv.txt (uboot_overlay_addr4=BB-I2C1-00A0.dtbo)", "BB-W1-P9.12-00A0.dtbo", "/boot/uEnv.txt"},
		{"another board", map[string]string{"proc/device-tree/model": "StarFive VisionFive 2 v1.3B\x00", "etc/os-release": debian12},
			"StarFive VisionFive 2 v1.3B, Debian GNU/Linux 12 (bookworm)", "an overlay), load its device files with sudo modprobe i2c-dev", "w1-gpio", "the board's device tree"},
		{"PC", map[string]string{"sys/class/dmi/id/sys_vendor": "LENOVO\n", "sys/class/dmi/id/product_name": "20KHCTO1WW\n", "etc/os-release": debian12},
			"LENOVO 20KHCTO1WW, Debian GNU/Linux 12 (bookworm)", "sudo modprobe i2c-dev", "DS9490R", "/etc/modules"},
		{"Raspberry Pi Desktop on a PC", map[string]string{"etc/rpi-issue": "Raspberry Pi reference 2022-07-01\n"},
			"", "sudo modprobe i2c-dev", "DS9490R", "/etc/modules"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			for name, text := range test.files {
				file := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			b := At(root)
			if b.String() != test.want {
				t.Errorf("want %q, got %q", test.want, b)
			}
			for _, said := range []struct{ got, want string }{{b.EnableI2C(), test.i2c}, {b.EnableOneWire(), test.oneWire}, {b.Overlay(), test.overlay}} {
				if !strings.Contains(said.got, said.want) {
					t.Errorf("want %q, got %q", said.want, said.got)
				}
			}
			if strings.Contains(b.EnableI2C(), "raspi-config") != strings.Contains(test.i2c, "raspi-config") {
				t.Errorf("raspi-config is only on Raspberry Pi OS: %q", b.EnableI2C())
			}
			if b.I2CSpeed() == "" {
				t.Error("the speed of a bus is missing")
			}
		})
	}
}
