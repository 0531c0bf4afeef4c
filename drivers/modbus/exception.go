package modbus

import "fmt"

// An Exception is a device's refusal of a request: section 7 of the application protocol.
type Exception uint8

const illegalAddress Exception = 2

func (e Exception) Error() string {
	if name := e.name(); name != "" {
		return fmt.Sprintf("exception %d (%s)", uint8(e), name)
	}
	return fmt.Sprintf("exception %d", uint8(e))
}

func (e Exception) name() string {
	switch e {
	case 1:
		return "illegal function: the device does not know this table, or no writing to it"
	case illegalAddress:
		return "illegal address: the device has not all of these; manuals often count from 1, and holding register 0 is their 40001"
	case 3:
		return "illegal value"
	case 4:
		return "device failure"
	case 5:
		return "acknowledged, and still at it"
	case 6:
		return "device busy"
	case 8:
		return "memory parity error"
	case 10:
		return "the gateway has no path to the device"
	case 11:
		return "the device behind the gateway does not answer"
	}
	return ""
}
