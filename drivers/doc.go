// Package drivers defines what the drivers of sensors and the rest of the program share: what a
// Value is, what a Driver does, and what a Spec says about it. It knows no hardware, no
// configuration and no other package of the program; anyone may import it. Code that opens a device
// file does not belong here (that is drivers/bus), nor does a driver (each has its own folder), nor
// what several drivers need (that is drivers/kit and the folders below it).
//
// # How to use a driver
//
// Each driver has a typed Open, see the example, or one for each of the chips that it knows. It
// takes periph's i2c.Bus, a Port, or neither, and the driver's Options, which must pass their
// Check; Spec.Options returns the defaults, and Spec.SerialMode how a serial port must be set up.
// The bus or port remains the caller's, to be closed after the driver. A program that chooses
// drivers by name takes their Specs from drivers/all and opens them by Spec.Open, with Buses such
// as a Host of drivers/bus. These drivers give their port back when they are closed.
//
// # How to write a driver
//
// A driver is one new folder, and its import and its Spec in drivers/all/all.go. In what follows
// the chip is an XY12, at address 0x40, which measures the temperature. A driver may be named with
// hyphens, as in "modbus-rtu"; its folder is named as its package, without them. drivers/xy12 has
//
//	doc.go              what the device is, and what the driver does about its pitfalls
//	xy12.go             Options, Spec, Open, and the type Dev with Read and Close
//	xy12test/chip.go    a model of the chip
//	xy12_test.go        drivertest.Suite on the model, and the data sheet's own examples
//
// doc.go is the package comment. It begins with "Package xy12 is the driver of" and ends with these
// sections, which with the Spec become the driver's part of docs/drivers.md:
//
//	# Data sheet        title, number and version
//	# Wiring            supply, pins, and how they choose the address
//	# Range             accuracy, resolution; the limits themselves are in the fields
//	# Sources of error  what makes it measure wrongly, and what the messages mean
//
// xy12.go, with the imports context, fmt, periph.io/x/conn/v3/i2c, drivers, drivers/kit and
// drivers/kit/chip:
//
//	// Options are what the configuration may set.
//	type Options struct {
//		Address int `toml:"address" doc:"0x40 (pin ADDR to ground) or 0x41 (to the supply)"`
//	}
//
//	// Check reports every option that has an impossible value.
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
// The Spec is made by I2C, Serial (the device has the port for itself), SharedSerial (several on
// one line), Network, or Machine (files and pins of the kernel, and no bus); this also says what
// Open takes.
//
// The defaults of Options are given to the Spec. A slice or a map in them must be nil, and the
// driver gives nil a meaning: the defaults are copied without what they point to, which would be
// shared by all sensors. Each option has a tag `doc`: one line for the operator, with unit and
// range. Check reports wrong values as *OptionError, before anything is opened; kit.CheckOneOf and
// kit.CheckRange return such errors. Every option that is a number must have limits if the device
// is on a bus. An unexported field of Options is not an option: tests use one to replace a part of
// the machine, such as the root of its files.
//
// The fields must follow from the options alone, without the device: a configuration can be checked
// on any machine. Each number has a Range: Between, AtLeast, or AnyNumber if the driver cannot
// know. kit.Measured makes a number outside of it Bad, and rounds one within it to the given number
// of digits after the point: as many as are significant.
//
// xy12test/chip.go is a model, for the suite and for every test that needs the chip on a bus. It
// has a folder of its own, so that other tests can import it and the program does not contain it.
// It implements drivertest.Chip; Registers of drivers/kit/chip/chiptest understands the transfers
// of a chip with registers:
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
// A device on a serial line or in the network has no model of its own: its test makes a
// drivertest.Device from what the device sends by itself and what it answers. Nor has a driver made
// by Machine: its test writes the kernel's files below a root and names them in Suite.Files.
//
// xy12_test.go runs the suite, which makes every transfer fail in turn and corrupts everything that
// the device sends. An example of the data sheet is played back to the driver with periph's
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
// Finally add xy12.Spec to drivers/all/all.go, in the order of the names, regenerate
// docs/drivers.md, and run the tests. TestCandidates of internal/scan lists the addresses that
// several chips share: add the driver there if it fails.
//
//	make docs
//	go test ./drivers/... ./internal/scan
//	go test ./cmd/fieldgate -run 'Driver|Doc'
//
// # What a driver may rely on, and what it may not do
//
//   - Calls are never concurrent, and each has a context with a deadline. Read checks the context
//     before it uses the bus and returns soon after the context ends; it waits with Wait only. What
//     cannot be interrupted, such as reading a file in which the kernel measures, counts as one
//     transaction: the context is checked before it, and the caller waits.
//   - It starts no goroutine, has no logger, reads no clock and keeps no package-level variable but
//     its Spec and what never changes. The caller decides when to measure, takes the time of each
//     measurement, repeats, backs off, logs and opens the driver again.
//   - It knows its bus as periph's i2c.Bus or as a Port, never as a device file, and does not close
//     it. Only a driver made by Machine opens files itself, and only those that several programs
//     may have open: in /proc, in /sys, and GPIO pins. It imports no other driver.
//   - A word with a wrong checksum, a bit pattern that means "not measured" or a number outside
//     what the device can measure is Bad or an error. It never returns a guess.
//   - An error says what was tried, what came instead, and what the operator can do; it wraps its
//     cause. If errors.Is(err, os.ErrClosed), the bus is gone, and the caller must close the driver
//     and open it again.
//   - Read may return the same slice each time, so a measurement need not allocate.
package drivers
