package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/modbus"
	"github.com/fieldgate/fieldgate/internal/launch"
	"github.com/fieldgate/fieldgate/internal/modbusline"
)

// modbusFlags are what the modbus commands have in common.
type modbusFlags struct {
	*options
	socket string
	rtu    bool
	asJSON bool
	driver map[string]reflect.Value // of the driver, by their keys
}

func modbusCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "modbus", Short: "Find, read and write Modbus devices by hand",
		Long: `Modbus talks to a device that no configuration describes, as the drivers modbus-rtu and modbus-tcp do. BUS is what a sensor's bus can be: a
serial port ("/dev/serial/by-id/…", "usb:0403:6001"), or host and port of a device in the network ("192.168.1.20:502"), which speaks Modbus TCP
unless --rtu says that it is a serial device server. A gateway that reads sensors on this bus has to be stopped meanwhile.`,
		Args: cobra.NoArgs,
	}
	c.AddCommand(modbusScanCommand(o), modbusReadCommand(o), modbusWriteCommand(o))
	return c
}

// bind adds the common flags, and those that are options of the driver.
func (f *modbusFlags) bind(c *cobra.Command, o *options, keys ...string) {
	f.options, f.driver = o, map[string]reflect.Value{}
	socketFlag(c, &f.socket)
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&f.rtu, "rtu", false, "BUS is a serial device server that passes RTU frames")
	defaults := reflect.ValueOf(modbus.SpecRTU.Options()).Elem()
	for _, key := range keys {
		for i := range defaults.NumField() {
			field := defaults.Type().Field(i)
			if field.Tag.Get("toml") != key {
				continue
			}
			v := reflect.New(field.Type).Elem()
			v.Set(defaults.Field(i))
			f.driver[key] = v
			usage, _, _ := strings.Cut(field.Tag.Get("doc"), ";")
			switch p := v.Addr().Interface().(type) {
			case *int:
				c.Flags().IntVar(p, flagOf(key), *p, usage)
			case *bool:
				c.Flags().BoolVar(p, flagOf(key), *p, usage)
			case *string:
				c.Flags().StringVar(p, flagOf(key), *p, usage)
			case *time.Duration:
				c.Flags().DurationVar(p, flagOf(key), *p, usage)
			}
		}
	}
	if t := c.Flags().Lookup("timeout"); t != nil {
		t.DefValue = "0s" // it depends on the bus
	}
	c.Args = func(_ *cobra.Command, args []string) error {
		if want := len(strings.Fields(c.Use)) - 1; len(args) != want {
			return usageError{fmt.Errorf("want %s (see %s --help)", c.Use, c.CommandPath())}
		}
		return nil
	}
}

// flagOf returns the flag of an option.
func flagOf(key string) string {
	if key == "unit_id" {
		return "unit"
	}
	return strings.ReplaceAll(key, "_", "-")
}

// device returns the device that the flags describe.
func (f *modbusFlags) device(c *cobra.Command, bus string) (modbusline.Device, error) {
	d, err := modbusline.NewDevice(bus, f.rtu)
	if err != nil {
		return d, usageError{err}
	}
	for key, v := range f.driver {
		if !c.Flags().Changed(flagOf(key)) {
			continue
		}
		if err := d.Set(key, v.Interface()); err != nil {
			return d, usageError{fmt.Errorf("--%s: %w", flagOf(key), err)}
		}
	}
	return d, nil
}

// mayUse returns why a bus must be left alone: a gateway reads sensors on it, or may do so.
func (f *modbusFlags) mayUse(ctx context.Context, bus string) error {
	c, err := f.load()
	known := err == nil
	if !known {
		c = &config.Config{}
	}
	status, err := runningGateway(ctx, f.options, f.socket, c)
	if err != nil || status == nil {
		return err
	}
	stop := "stop it first (sudo systemctl stop fieldgate)"
	if !known || status.Config != launch.Current {
		return fmt.Errorf("the gateway is running (process %d), and its configuration cannot be read here to see whether it uses %s: %s", status.PID, bus, stop)
	}
	for _, s := range c.Sensors {
		if s.Bus == bus || sameFile(s.Bus, bus) {
			return fmt.Errorf("the gateway is running (process %d) and reads sensor %s on %s: %s", status.PID, s.Name, bus, stop)
		}
	}
	return nil
}

// sameFile reports whether two names are one device file.
func sameFile(a, b string) bool {
	realA, errA := filepath.EvalSymlinks(a)
	realB, errB := filepath.EvalSymlinks(b)
	return errA == nil && errB == nil && realA == realB
}

// describeModbus adds the bus to an error that does not name it, and makes a mistake one of usage.
func describeModbus(bus string, err error) error {
	var m *modbusline.Mistake
	switch {
	case err == nil:
		return nil
	case errors.As(err, &m):
		return usageError{err}
	case strings.Contains(err.Error(), bus):
		return err
	}
	return fmt.Errorf("%s: %w", bus, err)
}

func modbusScanCommand(o *options) *cobra.Command {
	f := &modbusFlags{}
	s := &modbusline.Scan{}
	var units, table string
	var address int
	c := &cobra.Command{
		Use: "scan BUS", Short: "List the unit ids that answer, and at which baud rate and parity",
		Long: `Scan asks the units of a bus for one register; it only reads. An exception is an answer too. On a serial line it asks the units 1 to 16 at each baud
rate and parity, then the others; when one has answered it stays with that baud rate and parity, which all devices of a line share, unless --all is
set. Ctrl-C ends it and prints what was found until then.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			d, err := f.device(cmd, args[0])
			if err != nil {
				return err
			}
			if err := scanDefaults(cmd, &d, &units); err != nil {
				return err
			}
			if s.Units, err = parseUnits(units); err != nil {
				return usageError{fmt.Errorf("--units: %w", err)}
			}
			if err := f.mayUse(cmd.Context(), d.Bus); err != nil {
				return err
			}
			s.Register = modbus.Register{Field: "value", Table: table, Address: address}
			return f.scan(cmd, s, d)
		},
	}
	f.bind(c, o, "stop_bits", "timeout", "gap", "connect_delay")
	c.Flags().IntSliceVar(&s.Bauds, "baud", []int{9600, 19200, 38400, 115200, 57600, 4800, 2400}, "baud rates to try, in this order")
	c.Flags().StringSliceVar(&s.Parities, "parity", []string{"none", "even"}, "parities to try at each: none, even, odd")
	c.Flags().StringVar(&units, "units", "", "units to ask, such as 1-32,248 (default 1-247; over TCP 0-255)")
	c.Flags().StringVar(&table, "table", "holding", "what to ask for: holding, input, coil or discrete")
	c.Flags().IntVar(&address, "address", 0, "its address")
	c.Flags().BoolVar(&s.All, "all", false, "go on with the other baud rates and parities after an answer")
	return c
}

// scanDefaults sets what a scan does otherwise than a sensor.
func scanDefaults(c *cobra.Command, d *modbusline.Device, units *string) error {
	timeout, all := 150*time.Millisecond, "1-247"
	if !d.Serial() {
		for _, name := range []string{"baud", "parity", "all"} {
			if c.Flags().Changed(name) {
				return usageError{fmt.Errorf("--%s is for serial lines: %s speaks Modbus TCP (--rtu if it is a serial device server)", name, d.Bus)}
			}
		}
		timeout, all = 500*time.Millisecond, "0-255"
		if err := d.Set("any_unit", true); err != nil {
			return err
		}
	}
	if *units == "" {
		*units = all
	}
	if c.Flags().Changed("timeout") {
		return nil
	}
	return d.Set("timeout", timeout)
}

// parseUnits takes a list of units and ranges apart: "1-32,248".
func parseUnits(text string) (units []int, err error) {
	seen := map[int]bool{}
	for word := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(word), "-")
		if !isRange {
			to = from
		}
		low, errLow := strconv.Atoi(from)
		high, errHigh := strconv.Atoi(to)
		if errLow != nil || errHigh != nil || low < 0 || high > 255 || low > high {
			return nil, fmt.Errorf("%q; want units and ranges from 0 to 255, such as 1-32,248", word)
		}
		for u := low; u <= high; u++ {
			if !seen[u] {
				units = append(units, u)
			}
			seen[u] = true
		}
	}
	return units, nil
}

func (f *modbusFlags) scan(cmd *cobra.Command, s *modbusline.Scan, d modbusline.Device) error {
	said := cmd.ErrOrStderr()
	n, length := s.Requests(d)
	fmt.Fprintf(said, "up to %d requests; %v if nobody answers\n", n, length.Round(time.Second))
	s.Progress = func(modbusline.Step) {}
	wipe := func() {}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		wipe = func() { draw(said, "\r\x1b[K") }
		s.Progress = func(step modbusline.Step) {
			wipe()
			fmt.Fprint(said, strings.TrimSuffix(fmt.Sprintf("%d of %d: unit %d, %s", step.Done+1, step.Of, step.Unit, step.Mode), ", "))
		}
	}
	buses := openBuses(newLogger(new(slog.LevelVar)))
	defer buses.Close()
	found, err := s.Run(cmd.Context(), buses, d)
	wipe()
	if err != nil && cmd.Context().Err() == nil {
		return describeModbus(d.Bus, err)
	}
	if err := printUnits(cmd.OutOrStdout(), found, f.asJSON); err != nil {
		return err
	}
	switch {
	case err != nil:
		fmt.Fprintln(said, "ended before all units were asked")
		return exitCode(exitFailed)
	case len(found) == 0:
		return fmt.Errorf("no unit answers on %s: is a device powered and wired, A to A and B to B? Slow ones need a longer --timeout, other rates --baud", d.Bus)
	}
	return nil
}

// registerFlags adds the flags that say which registers.
func registerFlags(c *cobra.Command, r *modbus.Register) {
	c.Flags().StringVar(&r.Table, "table", "holding", "holding, input, coil or discrete")
	c.Flags().IntVar(&r.Address, "address", 0, "as in the protocol: what a manual calls 40001 is holding register 0")
}

func modbusReadCommand(o *options) *cobra.Command {
	f := &modbusFlags{}
	var r modbus.Register
	var count int
	c := &cobra.Command{
		Use: "read BUS", Short: "Read registers, coils or discrete inputs",
		Long: `Read prints registers as they are on the line, in hexadecimal, with what they can mean: numbers of 16 bits, numbers of 32 bits with the register that
follows, in either order of the registers (swapped is word_order = "little"), and text. With --type it prints only that.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := f.device(cmd, args[0])
			if err != nil {
				return err
			}
			if err := f.mayUse(cmd.Context(), d.Bus); err != nil {
				return err
			}
			buses := openBuses(newLogger(new(slog.LevelVar)))
			defer buses.Close()
			words, err := d.Read(cmd.Context(), buses, r, count)
			if err != nil {
				return describeModbus(d.Bus, err)
			}
			if f.asJSON {
				return writeJSON(cmd.OutOrStdout(), words)
			}
			return printWords(cmd.OutOrStdout(), words, r.Type != "")
		},
	}
	f.bind(c, o, "unit_id", "baud", "parity", "stop_bits", "timeout", "gap", "max_read", "max_read_bits", "one_request_per_field", "any_unit", "connect_delay", "byte_order", "word_order")
	registerFlags(c, &r)
	c.Flags().IntVar(&count, "count", 0, "registers, coils or discrete inputs to read (default: one value)")
	c.Flags().StringVar(&r.Type, "type", "", "uint16, float32 or any other type of the drivers")
	return c
}

func modbusWriteCommand(o *options) *cobra.Command {
	f := &modbusFlags{}
	var r modbus.Register
	var yes bool
	c := &cobra.Command{
		Use: "write BUS VALUE", Short: "Write a register or a coil, and read it back",
		Long: `Write reads a register or a coil, asks whether to write VALUE, writes it and reads it back. --yes does not ask. A negative VALUE stands behind "--":

  fieldgate modbus write /dev/ttyUSB0 --unit 1 --address 5 --type int16 -- -20`,
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := f.device(cmd, args[0])
			if err != nil {
				return err
			}
			if !yes && !term.IsTerminal(int(os.Stdin.Fd())) {
				return usageError{errors.New("nobody can be asked here whether to write: confirm with --yes")}
			}
			if err := f.mayUse(cmd.Context(), d.Bus); err != nil {
				return err
			}
			buses := openBuses(newLogger(new(slog.LevelVar)))
			defer buses.Close()
			change, err := d.Write(cmd.Context(), buses, r, args[1], func(before any) error {
				if yes {
					return nil
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s on %s is %v. Write %s? [y/N] ", r.Place(), d.Bus, before, args[1])
				answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
				if err != nil || !strings.HasPrefix(strings.ToLower(answer), "y") {
					return errors.New("nothing was written")
				}
				return nil
			})
			if err != nil {
				return describeModbus(d.Bus, err)
			}
			if f.asJSON {
				return writeJSON(cmd.OutOrStdout(), change)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s was %v and is %v\n", r.Place(), change.Before, change.After)
			return err
		},
	}
	f.bind(c, o, "unit_id", "baud", "parity", "stop_bits", "timeout", "gap", "any_unit", "connect_delay", "byte_order", "word_order", "write_multiple")
	registerFlags(c, &r)
	c.Flags().StringVar(&r.Type, "type", "", "uint16 (the default), int16, float32 or any other type of the drivers")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}
