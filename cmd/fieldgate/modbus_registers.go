package main

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fieldgate/fieldgate/drivers/modbus"
)

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
