package chip

import (
	"fmt"
	"strconv"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit"
)

// Addresses returns those from first to last.
func Addresses(first, last int) []int {
	var all []int
	for a := first; a <= last; a++ {
		all = append(all, a)
	}
	return all
}

// CheckAddress returns nil for an address that the chip can have, and an OptionError for the option
// "address" otherwise.
func CheckAddress(address int, can ...int) error {
	written, err := strconv.ParseInt(strconv.Itoa(address), 16, 32)
	hint := ""
	for _, a := range can {
		if a == address {
			return nil
		}
		if err == nil && int(written) == a {
			hint = fmt.Sprintf("; addresses are hexadecimal: write 0x%d", address)
		}
	}
	return &drivers.OptionError{Key: "address", Err: fmt.Errorf("%#02x; want %s%s", address, listed(can), hint)}
}

// listed returns "0x76 or 0x77", "0x44, 0x45 or 0x46", "0x48 to 0x4f".
func listed(addresses []int) string {
	if last := len(addresses) - 1; last > 3 {
		return fmt.Sprintf("0x%02x to 0x%02x", addresses[0], addresses[last])
	}
	return kit.Choice("0x%02x", addresses)
}
