package modbus

import (
	"bytes"
	"fmt"

	"github.com/aldas/go-modbus-client/packet"
)

// A request is what a transport carries to a device: unit, function and data.
type request struct {
	body []byte
	// answer is the length of the answer: unit, function and data.
	answer int
	// write says that the answer repeats the first four bytes of the data; otherwise it is the
	// number of bytes, and these.
	write bool
	// anyUnit says that the answer may name another unit.
	anyUnit bool
	// echo says that the answer is the request once more, which on a line that echoes cannot be
	// distinguished.
	echo bool
}

// readRequest makes the request for a block.
func readRequest(unit byte, b *block) request {
	start, size := uint16(b.start), uint16(b.size)
	q := request{answer: 3 + 2*b.size}
	switch b.table {
	case holding:
		q.body = packet.ReadHoldingRegistersRequest{UnitID: unit, StartAddress: start, Quantity: size}.Bytes()
	case input:
		q.body = packet.ReadInputRegistersRequest{UnitID: unit, StartAddress: start, Quantity: size}.Bytes()
	case coil:
		q.body = packet.ReadCoilsRequest{UnitID: unit, StartAddress: start, Quantity: size}.Bytes()
	case discrete:
		q.body = packet.ReadDiscreteInputsRequest{UnitID: unit, StartAddress: start, Quantity: size}.Bytes()
	}
	if b.table.bits() {
		q.answer = 3 + (b.size+7)/8
	}
	return q
}

// writeCoil makes the request that sets a coil.
func writeCoil(unit byte, address int, on, multiple bool) request {
	q := request{answer: 6, write: true, echo: !multiple}
	if multiple {
		data := []byte{0}
		if on {
			data[0] = 1
		}
		q.body = packet.WriteMultipleCoilsRequest{UnitID: unit, StartAddress: uint16(address), CoilCount: 1, Data: data}.Bytes()
	} else {
		q.body = packet.WriteSingleCoilRequest{UnitID: unit, Address: uint16(address), CoilState: on}.Bytes()
	}
	return q
}

// writeRegisters makes the request that sets registers to data, as it is on the line.
func writeRegisters(unit byte, address int, data []byte, multiple bool) request {
	if len(data) == 2 && !multiple {
		return request{answer: 6, write: true, echo: true,
			body: packet.WriteSingleRegisterRequest{UnitID: unit, Address: uint16(address), Data: [2]byte(data)}.Bytes()}
	}
	return request{answer: 6, write: true,
		body: packet.WriteMultipleRegistersRequest{UnitID: unit, StartAddress: uint16(address), RegisterCount: uint16(len(data) / 2), Data: data}.Bytes()}
}

const exceptionBit = 0x80 // of a function code

// expects returns the length of the frame that begins with these three bytes, if it answers the
// request; 0 if it does not.
func (q *request) expects(frame []byte) int {
	switch {
	case frame[0] != q.body[0] && !q.anyUnit:
		return 0
	case frame[1] == q.body[1]|exceptionBit:
		return 3
	case frame[1] != q.body[1], !q.write && int(frame[2]) != q.answer-3:
		return 0
	}
	return q.answer
}

// accept returns the data of a whole frame that expects was asked about, without the number of
// bytes; or an Exception.
func (q *request) accept(frame []byte) ([]byte, error) {
	switch {
	case frame[1]&exceptionBit != 0:
		return nil, Exception(frame[2])
	case !q.write:
		return frame[3:], nil
	case !bytes.Equal(frame[2:6], q.body[2:6]):
		return nil, fmt.Errorf("the device confirms % x instead of % x", frame[2:6], q.body[2:6])
	}
	return nil, nil
}

// misfit says why a frame that expects does not know is no answer to the request, and which option
// may help.
func (q *request) misfit(frame []byte) string {
	unit, function := frame[0], frame[1]&^exceptionBit
	switch {
	case function != q.body[1]:
		return fmt.Sprintf("it is of unit %d to function %d, not to %d", unit, function, q.body[1])
	case unit != q.body[0] && !q.anyUnit:
		return fmt.Sprintf("it is of unit %d, not %d: is that its unit_id? If the device always answers so, set any_unit = true", unit, q.body[0])
	case q.write || q.answer == 3+int(frame[2]):
		return "its length is not that of an answer"
	}
	got, want, option := int(frame[2])/2, (q.answer-3)/2, "max_read"
	if bits := q.body[1] <= 2; bits {
		got, want, option = int(frame[2])*8, int(q.body[4])<<8+int(q.body[5]), "max_read_bits"
	}
	if got == 0 || got > want {
		return fmt.Sprintf("it has %d bytes of data, not %d", frame[2], q.answer-3)
	}
	return fmt.Sprintf("it has %d values, not %d: if the device answers no more at a time, set %s = %d", got, want, option, got)
}
