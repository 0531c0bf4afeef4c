// Package drivers defines what drivers of sensors and the rest of the program share: what a Value
// is, what a Driver does, and how a Spec describes a driver. It knows no hardware, no configuration
// and no other package of the program; anyone may import it. Code that opens a device file belongs
// in drivers/bus, a driver in a folder of its own, and what several drivers need in drivers/kit and
// the folders below it.
//
// # How to use a driver
//
// The package of each driver has a typed Open, see the example, or one for each of the chips that
// it supports. It takes the bus, which is periph's i2c.Bus, a Port or none, and the driver's
// Options. These must pass their Check; Spec.Options returns the defaults, and Spec.SerialMode how
// a serial port must be set up for them. A program that selects drivers by name finds their Specs
// in drivers/all and opens them with Spec.Open; the Buses that this needs are those of drivers/bus.
//
// # How to write a driver
//
// A driver is a new folder, and two lines in drivers/all/all.go: its import and its Spec. In what
// follows the chip is an XY12, at address 0x40, which measures temperature. A driver may be named
// with hyphens, as in "modbus-rtu"; its folder is named as its package, without them. The files of
// drivers/xy12 are
//
//	doc.go              what the device is, and what the driver does about its pitfalls
//	xy12.go             Options, Spec, Open, and the type Dev with Read and Close
//	xy12test/chip.go    a model of the chip
//	xy12_test.go        the suite on the model, and the examples of the data sheet
//
// doc.go has the package comment. It begins with "Package xy12 is the driver of" and ends with
// these sections. Together with the Spec they become the driver's part of docs/drivers.md:
//
//	# Data sheet        title, number and version
//	# Wiring            supply, pins, and how they choose the address
//	# Range             accuracy, resolution; the limits themselves are in the fields
//	# Sources of error  what makes it measure wrongly, and what the error messages mean
//
// xy12.go, with the imports context, fmt, periph.io/x/conn/v3/i2c, drivers, drivers/kit and
// drivers/kit/chip:
//
//	// Options are what the configuration can set.
//	type Options struct {
//		Address int `toml:"address" doc:"0x40 (pin ADDR to ground) or 0x41 (to the supply)"`
//	}
//
//	// Check returns an error for every option that is out of range.
//	func (o *Options) Check() error { return chip.CheckAddress(o.Address, 0x40, 0x41) }
//
//	// Spec is the driver's entry in the table.
//	var Spec = drivers.I2C("xy12", "Example XY12: temperature", Options{Address: 0x40},
//		fields, Open)
//
//	func fields(*Options) []drivers.Field {
//		return []drivers.Field{
//			kit.Field("temperature", drivers.Temperature, drivers.Between(-40, 125), "of the chip"),
//		}
//	}
//
//	// Dev is an open chip.
//	type Dev struct {
//		chip   *chip.Conn
//		fields []drivers.Field
//		values [1]drivers.Value
//	}
//
//	// Open checks that the chip is there. The options must pass Check.
//	func Open(ctx context.Context, bus i2c.Bus, o Options) (*Dev, error) {
//		d := &Dev{chip: chip.New(bus, o.Address), fields: fields(&o)}
//		if err := ctx.Err(); err != nil {
//			return nil, err
//		}
//		id, err := d.chip.Read8(0x0F)
//		if err != nil {
//			return nil, fmt.Errorf("xy12: %w", d.chip.ExplainAbsent(err, "pin ADDR", 0x40, 0x41))
//		}
//		if id != 0x12 {
//			return nil, fmt.Errorf("xy12: %w", d.chip.WrongID(id, "not an XY12, which has 0x12"))
//		}
//		return d, nil
//	}
//
//	// Read returns the temperature (°C) that the chip measured last.
//	func (d *Dev) Read(ctx context.Context) ([]drivers.Value, error) {
//		if err := ctx.Err(); err != nil {
//			return nil, err
//		}
//		raw, err := d.chip.Read16(0x00)
//		if err != nil {
//			return nil, fmt.Errorf("xy12: temperature: %w", err)
//		}
//		d.values[0] = kit.Measured(d.fields[0], float64(int16(raw))/256, 2)
//		return d.values[:], nil
//	}
//
//	// Close does nothing: the chip measures all the time.
//	func (d *Dev) Close() error { return nil }
//
// The Spec is made by I2C, Serial (the device has the port to itself), SharedSerial (several
// devices on one line), Network, or Machine (files and pins of the kernel, and no bus). Which one
// also decides what Open takes as its bus: an i2c.Bus, a Port, or nothing.
//
// The Spec is given the defaults of Options. A slice or a map must be nil in them, and the driver
// treats nil as the default: the defaults are copied shallowly, so all sensors would share what
// they point to. Each option has a tag `doc`: one line for the operator, with unit and range. Check
// returns wrong values as *OptionError, before anything is opened; kit.CheckOneOf and
// kit.CheckRange make some, and every number of a device on a bus has limits. An unexported field
// of Options is not an option: a test puts there what replaces the machine, such as the root of its
// files.
//
// The fields must follow from the options alone, because a configuration can be checked on any
// machine. Each number has a Range: Between, AtLeast, or AnyNumber if the driver cannot know.
// kit.Measured makes a number outside of it Bad, and rounds one within it to as many decimals as
// are significant.
//
// xy12test/chip.go is a model of the chip, for the suite and for whatever puts a chip behind a bus.
// It has a folder of its own because other tests use it and the program must not contain it. It
// implements drivertest.Chip. Registers, of drivers/kit/chip/chiptest, understands the transfers of
// a chip with registers:
//
//	// A Chip is a model of the chip.
//	type Chip struct {
//		Raw       int16 // 1/256 °C
//		registers chiptest.Registers
//	}
//
//	// Transfer implements drivertest.Chip.
//	func (c *Chip) Transfer(w, r []byte) error {
//		return c.registers.Transfer(w, r,
//			func(byte, []byte) bool { return false }, // nothing can be written
//			func(register byte, b []byte) {
//				switch register {
//				case 0x00:
//					copy(b, []byte{byte(c.Raw >> 8), byte(c.Raw)})
//				case 0x0F:
//					copy(b, []byte{0x12})
//				}
//			})
//	}
//
// A device on a serial line or in the network needs no model: its test makes a drivertest.Device
// from what the device sends unasked and what it answers. Nor does a driver without a bus: its test
// writes the files of the kernel below a root and names them in Suite.Files.
//
// xy12_test.go runs the suite, which lets every transfer fail in turn and garbles all that the
// device sends. Examples of the data sheet are played back to the driver with periph's
// i2ctest.Playback.
//
//	func TestDriver(t *testing.T) {
//		drivertest.Suite{
//			Spec: Spec,
//			New: func() *drivertest.Buses {
//				return drivertest.OnI2C(0x40, &xy12test.Chip{Raw: 21 * 256})
//			},
//		}.Run(t)
//	}
//
// Finally, add xy12.Spec to drivers/all/all.go, in the order of the names, generate docs/drivers.md
// and run the tests. TestCandidates of internal/scan lists the addresses that several chips share:
// add the name there if it fails.
//
//	make docs
//	go test ./drivers/... ./internal/scan
//	go test ./cmd/fieldgate -run 'Driver|Doc'
//
// # What a driver may rely on, and what it may not do
//
//   - Calls on one Driver are never concurrent, and each but Close has a context with a deadline.
//     Read checks the context before it touches the bus, and returns soon after the context ends;
//     to pause, it calls Wait. What cannot be interrupted, such as reading a file during which the
//     kernel measures, counts as one transaction: the context is checked before, and the caller
//     waits.
//   - A driver starts no goroutine, does not log, reads no clock, and has no package-level
//     variables but its Spec and constant data. The caller decides when to measure, adds the time,
//     retries, backs off, logs, and opens the driver again.
//   - A driver gets its bus as an i2c.Bus or a Port, not as a device file, and does not close it.
//     Only a driver whose Spec is made by Machine opens files itself, and only those that the
//     kernel lets several programs open: in /proc, in /sys, and GPIO pins. It imports no other
//     driver.
//   - A word with a wrong checksum, a bit pattern that means "not measured", or a number outside
//     what the device can measure becomes Bad or an error, never a guessed value.
//   - An error says what was tried, what came instead, and what the operator can do; it wraps its
//     cause. One that wraps os.ErrClosed says that the bus is gone: the caller opens the driver
//     again, because nothing else can help.
//   - Read may reuse the slice that it returns, so that a measurement need not allocate.
package drivers
