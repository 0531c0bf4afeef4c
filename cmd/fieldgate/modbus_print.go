package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/fieldgate/fieldgate/internal/modbusline"
)

// printUnits prints the units that answer; those in a row with the same answer in one line.
func printUnits(out io.Writer, found []modbusline.Found, asJSON bool) error {
	if asJSON {
		return writeJSON(out, append([]modbusline.Found{}, found...))
	}
	if len(found) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := found[0].Baud != 0
	head := "UNIT\tANSWER"
	if line {
		head = "UNIT\tBAUD\tPARITY\tANSWER"
	}
	fmt.Fprintln(w, head)
	for i := 0; i < len(found); {
		first, last := found[i], found[i]
		for i++; i < len(found) && follows(last, found[i]); i++ {
			last = found[i]
		}
		units := strconv.Itoa(first.Unit)
		if last != first {
			units = fmt.Sprintf("%d to %d", first.Unit, last.Unit)
		}
		if line {
			units = fmt.Sprintf("%s\t%d\t%s", units, first.Baud, first.Parity)
		}
		fmt.Fprintf(w, "%s\t%s\n", units, oneLine(first.Answer))
	}
	return w.Flush()
}

func follows(a, b modbusline.Found) bool {
	a.Unit++
	return a == b
}

// printWords prints registers: with their values, or with what they can mean.
func printWords(out io.Writer, words []modbusline.Word, typed bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	switch {
	case words[0].Bit != nil:
		fmt.Fprintln(w, "ADDRESS\tVALUE")
		for _, v := range words {
			fmt.Fprintf(w, "%d\t%v\n", v.Address, *v.Bit)
		}
	case typed:
		fmt.Fprintln(w, "ADDRESS\tHEX\tVALUE")
		for _, v := range words {
			fmt.Fprintf(w, "%d\t%s\t%s\n", v.Address, v.Hex, oneLine(fmt.Sprint(cmp.Or(v.Value, any("")))))
		}
	default:
		fmt.Fprintln(w, "ADDRESS\tHEX\tUINT16\tINT16\tUINT32\tFLOAT32\tWORDS SWAPPED\tTEXT")
		for _, v := range words {
			fmt.Fprintf(w, "%d\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n", v.Address, v.Hex, *v.Uint16, *v.Int16, number(v.Uint32), short(v.Float32), short(v.Swapped), v.Text)
		}
	}
	return w.Flush()
}

func number(n *uint32) string {
	if n == nil {
		return ""
	}
	return strconv.FormatUint(uint64(*n), 10)
}

// short prints a number with as many digits as a float32 has; those that nobody measures are none.
func short(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'g', 7, 64)
}
