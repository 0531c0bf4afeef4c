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
	case frame[0] != q.body[0]:
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
