package board

// The ways of a system, in words that continue a sentence.
type ways struct {
	i2c     string // enables an I2C bus
	oneWire string // enables a 1-Wire bus
	speed   string // sets the speed of an I2C bus
	overlay string // where the kernel is told about attached devices
}

// EnableI2C says how an I2C bus is enabled.
func (b Board) EnableI2C() string { return b.ways.i2c }

// EnableOneWire says how a 1-Wire bus is enabled.
func (b Board) EnableOneWire() string { return b.ways.oneWire }

// I2CSpeed says where the speed of an I2C bus is set.
func (b Board) I2CSpeed() string { return b.ways.speed }

// Overlay says where the kernel is told which of its drivers are for what is attached: "its
// dtoverlay in /boot/firmware/config.txt".
func (b Board) Overlay() string { return b.ways.overlay }

// firmware is a Raspberry Pi whose config.txt is the operator's.
func firmware(config string) ways {
	return ways{
		i2c:     "add dtparam=i2c_arm=on to " + config + " and i2c-dev to /etc/modules, and reboot",
		oneWire: "add dtoverlay=w1-gpio to " + config + " and reboot",
		speed:   "it is dtparam=i2c_arm_baudrate in " + config,
		overlay: "its dtoverlay in " + config,
	}
}

func raspberryPiOS(config string) ways {
	w := firmware(config)
	w.i2c = "enable it with: sudo raspi-config nonint do_i2c 0, and reboot"
	return w
}

var (
	// Debian's package raspi-firmware writes config.txt anew and appends this file.
	debianOnPi = firmware("/etc/default/raspi-firmware-custom, run sudo /etc/kernel/postinst.d/z50-raspi-firmware")
	armbian    = ways{
		i2c:     "enable its overlay with sudo armbian-config, or in the line overlays= of /boot/armbianEnv.txt, and reboot",
		oneWire: "add w1-gpio to the line overlays= of /boot/armbianEnv.txt, its pin as param_w1_pin=, and reboot",
		speed:   "it is clock-frequency of the bus in the device tree: an overlay in /boot/armbianEnv.txt (user_overlays=)",
		overlay: "its overlay in /boot/armbianEnv.txt",
	}
	beagle = ways{
		i2c:     "enable its overlay in /boot/uEnv.txt (uboot_overlay_addr4=BB-I2C1-00A0.dtbo), and reboot",
		oneWire: "enable its overlay in /boot/uEnv.txt (uboot_overlay_addr4=BB-W1-P9.12-00A0.dtbo), and reboot",
		speed:   "it is clock-frequency of the bus in the device tree: an overlay in /boot/uEnv.txt",
		overlay: "its overlay in /boot/uEnv.txt",
	}
	deviceTree = ways{
		i2c:     "enable the bus in the board's device tree (an overlay), load its device files with sudo modprobe i2c-dev, and add i2c-dev to /etc/modules",
		oneWire: "add w1-gpio with its pin to the board's device tree (an overlay), and reboot",
		speed:   "it is clock-frequency of the bus in the board's device tree",
		overlay: "its node in the board's device tree",
	}
	pc = ways{
		i2c:     "plug in an adapter, load its device files with sudo modprobe i2c-dev, and add i2c-dev to /etc/modules",
		oneWire: "plug in an adapter that Linux has a driver for (DS9490R)",
		speed:   "it belongs to the adapter",
		overlay: "its module in /etc/modules",
	}
)
