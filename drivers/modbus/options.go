package modbus

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
)

// RTU are the options of a device on a serial line.
type RTU struct {
	UnitID        int           `toml:"unit_id" doc:"the device's address on the line, 1 to 247; 248 to 255 for devices whose maker took one that is reserved (PZEM-004T: 248)"`
	Profile       string        `toml:"profile" doc:"a device of the library, by its name in [modbus-profiles.md](modbus-profiles.md): its options and registers, over which the sensor's own are laid; registers of the sensor replace those of the profile"`
	Registers     []Register    `toml:"registers" doc:"what to read, an array of tables"`
	Fields        []string      `toml:"fields" doc:"which fields of the registers, in this order; default all"`
	Timeout       time.Duration `toml:"timeout" doc:"how long the device may think before it answers, 10ms to 10s; the time of the bytes on the line comes on top"`
	Gap           time.Duration `toml:"gap" doc:"silence before a request, up to 1s; 0s is 3.5 characters, and 5ms to 50ms help cheap adapters and slow meters"`
	MaxGap        int           `toml:"max_gap" doc:"registers without a field that are read along to save a request, 0 to 124; 0 if the device refuses to read holes"`
	MaxRead       int           `toml:"max_read" doc:"registers in one request at most, 1 to 125; for devices that refuse, or cut, long answers"`
	MaxReadBits   int           `toml:"max_read_bits" doc:"coils or discrete inputs in one request at most, 1 to 2000; 16 or 8 for small I/O modules"`
	OneRequest    bool          `toml:"one_request_per_field" doc:"for devices that answer one value a request; fields in the same registers still share one"`
	AnyUnit       bool          `toml:"any_unit" doc:"accept answers with another unit id, for devices that answer with 0 or 255; the device must be the only one on its line"`
	ByteOrder     string        `toml:"byte_order" doc:"big or little: the order of the two bytes of a register"`
	WordOrder     string        `toml:"word_order" doc:"big or little: big has the register with the high part first"`
	Invalid       string        `toml:"invalid" doc:"sunspec: the numbers with which SunSpec devices say that they have no value, by type (int16 8000, uint16 ffff, 32 and 64 bits likewise, a string of zeros), make the field Bad; for inverters, which send them at night"`
	WriteMultiple bool          `toml:"write_multiple" doc:"write single coils and registers with functions 15 and 16 too, for devices that know only these"`

	Baud     int    `toml:"baud" doc:"bits per second, 50 to 4000000; at a device server what that is set to"`
	Parity   string `toml:"parity" doc:"none, odd or even"`
	StopBits int    `toml:"stop_bits" doc:"1 or 2"`

	// of a bus that is a connection
	ConnectDelay   time.Duration `toml:"connect_delay" doc:"silence after connecting, up to 5s, for devices that are deaf then or hang up if asked too early; the sensor's every, or its timeout, must be longer"`
	CloseAfterRead bool          `toml:"close_after_read" doc:"end the connection after each reading, for devices that take one connection only, or hang up when idle"`

	RS485       bool          `toml:"rs485" doc:"let the kernel switch the direction of an RS-485 transceiver by RTS; most adapters switch by themselves"`
	RS485Level  string        `toml:"rs485_level" doc:"high or low: RTS while sending"`
	RS485Before time.Duration `toml:"rs485_before" doc:"from switching to the first byte, whole milliseconds up to 100ms"`
	RS485After  time.Duration `toml:"rs485_after" doc:"from the last byte to switching back, whole milliseconds up to 100ms"`
}

// TCP are the options of a device in the network.
type TCP struct {
	UnitID         int           `toml:"unit_id" doc:"the device's number behind a gateway, 0 to 255; a device without a gateway mostly takes any"`
	Profile        string        `toml:"profile" doc:"a device of the library, by its name in [modbus-profiles.md](modbus-profiles.md): its options and registers, over which the sensor's own are laid; registers of the sensor replace those of the profile"`
	Registers      []Register    `toml:"registers" doc:"what to read, an array of tables"`
	Fields         []string      `toml:"fields" doc:"which fields of the registers, in this order; default all"`
	Timeout        time.Duration `toml:"timeout" doc:"how long an answer may take, 10ms to 30s"`
	Gap            time.Duration `toml:"gap" doc:"silence before a request, up to 1s; 100ms to 500ms for inverters and data loggers that lose requests which come fast"`
	MaxGap         int           `toml:"max_gap" doc:"registers without a field that are read along to save a request, 0 to 124; 0 if the device refuses to read holes"`
	MaxRead        int           `toml:"max_read" doc:"registers in one request at most, 1 to 125; for devices that refuse, or cut, long answers"`
	MaxReadBits    int           `toml:"max_read_bits" doc:"coils or discrete inputs in one request at most, 1 to 2000; 16 or 8 for small I/O modules"`
	OneRequest     bool          `toml:"one_request_per_field" doc:"for devices that answer one value a request; fields in the same registers still share one"`
	AnyUnit        bool          `toml:"any_unit" doc:"accept answers with another unit id, for devices and gateways that answer with 0 or 255"`
	ByteOrder      string        `toml:"byte_order" doc:"big or little: the order of the two bytes of a register"`
	WordOrder      string        `toml:"word_order" doc:"big or little: big has the register with the high part first"`
	Invalid        string        `toml:"invalid" doc:"sunspec: the numbers with which SunSpec devices say that they have no value, by type (int16 8000, uint16 ffff, 32 and 64 bits likewise, a string of zeros), make the field Bad; for inverters, which send them at night"`
	WriteMultiple  bool          `toml:"write_multiple" doc:"write single coils and registers with functions 15 and 16 too, for devices that know only these"`
	ConnectDelay   time.Duration `toml:"connect_delay" doc:"silence after connecting, up to 5s, for devices that are deaf then or hang up if asked too early; the sensor's every, or its timeout, must be longer"`
	CloseAfterRead bool          `toml:"close_after_read" doc:"end the connection after each reading, for devices that take one connection only, or hang up when idle"`
}

// settings are what both have.
type settings struct {
	driver                       string
	unit                         int
	registers                    []Register
	timeout, gap                 time.Duration
	maxGap, maxRead, maxReadBits int
	oneRequest, anyUnit          bool
	connectDelay                 time.Duration
	closeAfterRead               bool
	byteOrder, wordOrder         string
	writeMultiple                bool
	invalid                      string
	profile                      string
}

func (o *RTU) settings() *settings {
	return &settings{"modbus-rtu", o.UnitID, chosen(o.Registers, o.Fields), o.Timeout, o.Gap, o.MaxGap, o.MaxRead, o.MaxReadBits, o.OneRequest, o.AnyUnit, o.ConnectDelay, o.CloseAfterRead, o.ByteOrder, o.WordOrder, o.WriteMultiple, o.Invalid, o.Profile}
}

func (o *TCP) settings() *settings {
	return &settings{"modbus-tcp", o.UnitID, chosen(o.Registers, o.Fields), o.Timeout, o.Gap, o.MaxGap, o.MaxRead, o.MaxReadBits, o.OneRequest, o.AnyUnit, o.ConnectDelay, o.CloseAfterRead, o.ByteOrder, o.WordOrder, o.WriteMultiple, o.Invalid, o.Profile}
}

// SpecRTU is the entry of Modbus RTU in the table of drivers.
var SpecRTU = drivers.SharedSerial("modbus-rtu", "any Modbus device on a serial line (RS-485, RS-232), by its register map",
	RTU{UnitID: 1, Timeout: 300 * time.Millisecond, MaxRead: maxRegisters, MaxReadBits: maxBits, ByteOrder: "big", WordOrder: "big",
		Baud: 9600, Parity: "none", StopBits: 1, RS485Level: "high"},
	func(o *RTU) []drivers.Field { return fields(o.settings()) }, (*RTU).mode, OpenRTU)

// SpecTCP is the entry of Modbus TCP.
var SpecTCP = drivers.Network("modbus-tcp", "any Modbus device in the network or behind a gateway, by its register map",
	TCP{UnitID: 1, Timeout: time.Second, MaxRead: maxRegisters, MaxReadBits: maxBits, ByteOrder: "big", WordOrder: "big"},
	func(o *TCP) []drivers.Field { return fields(o.settings()) }, (*TCP).mode, OpenTCP)

func (o *TCP) mode() drivers.SerialMode { return drivers.SerialMode{ConnectDelay: o.ConnectDelay} }

func (o *RTU) mode() drivers.SerialMode {
	m := drivers.SerialMode{Baud: o.Baud, DataBits: 8, Parity: o.Parity, StopBits: o.StopBits, ConnectDelay: o.ConnectDelay}
	if o.RS485 {
		m.RS485 = drivers.RS485{Enabled: true, LowSend: o.RS485Level == "low", Before: o.RS485Before, After: o.RS485After}
	}
	return m
}

func fields(s *settings) []drivers.Field {
	var fields []drivers.Field
	for _, e := range firstOfEach(s.entries()) {
		fields = append(fields, drivers.Field{Name: e.Field, Unit: e.Unit, Kind: e.kind, Range: drivers.AnyNumber(), Doc: e.place() + ", " + e.Type, Writable: e.Writable})
	}
	return fields
}

// Check reports every option that has an impossible value.
func (o *RTU) Check() error {
	var errs []error
	wrong := func(bad bool, key, format string, args ...any) {
		if bad {
			errs = append(errs, &drivers.OptionError{Key: key, Err: fmt.Errorf(format, args...)})
		}
	}
	wrong(o.UnitID == 0, "unit_id", "0 is for all devices of the line, and none answers; want 1 to 255")
	wrong(o.UnitID < 0 || o.UnitID > 255, "unit_id", "%d; want 1 to 255", o.UnitID)
	wrong(o.Baud < 50 || o.Baud > 4_000_000, "baud", "%d; want 50 to 4000000", o.Baud)
	wrong(!slices.Contains([]string{"none", "odd", "even"}, o.Parity), "parity", "%q; want none, odd or even", o.Parity)
	wrong(o.StopBits != 1 && o.StopBits != 2, "stop_bits", "%d; want 1 or 2", o.StopBits)
	wrong(o.RS485Level != "high" && o.RS485Level != "low", "rs485_level", "%q; want high or low", o.RS485Level)
	for _, delay := range []struct {
		key string
		d   time.Duration
	}{{"rs485_before", o.RS485Before}, {"rs485_after", o.RS485After}} {
		wrong(delay.d < 0 || delay.d > 100*time.Millisecond || delay.d%time.Millisecond != 0, delay.key, "%v; want whole milliseconds from 0s to 100ms", delay.d)
		wrong(delay.d != 0 && !o.RS485, delay.key, "it is for rs485 = true")
	}
	if err := checkChoice(o.Registers, o.Fields); err != nil { // which registers are meant is not known
		return errors.Join(errors.Join(errs...), err)
	}
	return errors.Join(errors.Join(errs...), o.settings().check(10*time.Second))
}

// lastUnit is the highest unit id that a line has: section 2.2 of the serial line specification.
const lastUnit = 247

// Warnings says what of the options works and may not be meant.
func (o *RTU) Warnings() []string {
	if o.UnitID <= lastUnit {
		return nil
	}
	return []string{fmt.Sprintf("unit_id = %d is reserved, the units of a line are 1 to %d: fine if the device's manual says so", o.UnitID, lastUnit)}
}

// SharesWith returns why the device cannot be on a line with another sensor's, whose options other
// are; nil if it can.
func (o *RTU) SharesWith(other any) error {
	r, ok := other.(*RTU)
	if !ok || r.UnitID == o.UnitID || !o.AnyUnit && !r.AnyUnit {
		return nil
	}
	return fmt.Errorf("with any_unit = true a device must be the only one on its line, because the late answer of another is taken for its own; here are the units %d and %d", r.UnitID, o.UnitID)
}

// Check reports every option that has an impossible value.
func (o *TCP) Check() error {
	var err error
	if o.UnitID < 0 || o.UnitID > 255 {
		err = &drivers.OptionError{Key: "unit_id", Err: fmt.Errorf("%d; want 0 to 255", o.UnitID)}
	}
	if choice := checkChoice(o.Registers, o.Fields); choice != nil { // which registers are meant is not known
		return errors.Join(err, choice)
	}
	return errors.Join(err, o.settings().check(30*time.Second))
}

// check reports what is wrong with what both have.
func (s *settings) check(maxTimeout time.Duration) error {
	var errs []error
	wrong := func(bad bool, key, format string, args ...any) {
		if bad {
			errs = append(errs, &drivers.OptionError{Key: key, Err: fmt.Errorf(format, args...)})
		}
	}
	wrong(s.timeout < 10*time.Millisecond || s.timeout > maxTimeout, "timeout", "%v; want 10ms to %v", s.timeout, maxTimeout)
	wrong(s.gap < 0 || s.gap > time.Second, "gap", "%v; want 0s to 1s", s.gap)
	wrong(s.connectDelay < 0 || s.connectDelay > 5*time.Second, "connect_delay", "%v; want 0s to 5s", s.connectDelay)
	wrong(s.maxGap < 0 || s.maxGap >= maxRegisters, "max_gap", "%d registers; want 0 to %d", s.maxGap, maxRegisters-1)
	wrong(s.maxRead < 1 || s.maxRead > maxRegisters, "max_read", "%d registers; want 1 to %d", s.maxRead, maxRegisters)
	wrong(s.maxReadBits < 1 || s.maxReadBits > maxBits, "max_read_bits", "%d; want 1 to %d", s.maxReadBits, maxBits)
	wrong(!orderOK(s.byteOrder), "byte_order", "%q; want big or little", s.byteOrder)
	wrong(!orderOK(s.wordOrder), "word_order", "%q; want big or little", s.wordOrder)
	wrong(s.invalid != "" && s.invalid != sunspec, "invalid", "%q; want sunspec, or a list of numbers on each register", s.invalid)
	if len(errs) > 0 { // the map's defaults are among these
		return errors.Join(errs...)
	}
	return s.checkRegisters()
}
