package modbus

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var updatePage = flag.Bool("update", false, "write docs/modbus-profiles.md")

const profilePage = "../../docs/modbus-profiles.md"

// TestProfilesPage checks that docs/modbus-profiles.md is made of the profiles as they are.
func TestProfilesPage(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`# Modbus devices

<!-- Made by ` + "`go test ./drivers/modbus -run TestProfilesPage -update`" + ` from drivers/modbus/profiles: do not edit. -->

A device of this list is read with its name and its address:

    [[sensor]]
    name = "meter"
    driver = "modbus-rtu"
    bus = "/dev/serial/by-id/usb-FTDI_FT232R-if00-port0"
    every = "10s"
    options = { profile = "eastron-sdm630", unit_id = 1, fields = ["power", "energy_import"] }

The sensor's own options are laid over those of the profile: a device whose baud rate was changed needs ` + "`baud`" + ` too. Without ` + "`fields`" + ` all are read. Every profile works with ` + "`modbus-rtu` and `modbus-tcp`" + `,
whatever is between the gateway and the device. CONTRIBUTING.md says how to add one.

"Evidence" is how sure the registers are: **manual**, the maker's document was read; **two-sources**, two implementations that do not copy each other agree; **one-source**, look at the values before you trust them.
None of the profiles was tried with a device by the makers of this program, unless its note says so.

| profile | maker | models | evidence |
| --- | --- | --- | --- |
`)
	all := allProfiles(t)
	for _, p := range all {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s |\n", p.Name, p.Name, p.Maker, strings.Join(p.Models, ", "), p.Evidence)
	}
	for _, p := range all {
		writeProfile(&b, p)
	}
	if *updatePage {
		if err := os.WriteFile(profilePage, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(profilePage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Errorf("%s is stale: go test ./drivers/modbus -run TestProfilesPage -update", profilePage)
	}
}

func writeProfile(b *bytes.Buffer, p Profile) {
	fmt.Fprintf(b, "\n<a id=%q></a>\n\n## %s\n\n%s %s. ", p.Name, p.Name, p.Maker, strings.Join(p.Models, ", "))
	if p.Note != "" {
		fmt.Fprintf(b, "%s ", p.Note)
	}
	o := SpecRTU.Options().(*RTU)
	_ = o.UseProfile(p.Name) // TestProfiles reports it
	fmt.Fprintf(b, "On a serial line %v.\n\nEvidence: %s, from %s.\n\n", o.mode(), p.Evidence, strings.Join(p.Sources, "; "))
	b.WriteString("| field | unit | register | type |\n| --- | --- | --- | --- |\n")
	for _, e := range o.settings().entries() {
		write := ""
		if e.Writable {
			write = ", can be written"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s%s | %s%s |\n", e.Field, e.Unit, inModels(e.Models), e.place(), e.Type, write)
	}
}

// inModels says which models a register is in.
func inModels(models []int) string {
	if models == nil {
		return ""
	}
	return "of model " + strings.Trim(strings.ReplaceAll(fmt.Sprint(models), " ", ", "), "[]") + ": "
}
