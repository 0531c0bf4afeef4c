// Package sensirion speaks the protocol that Sensirion's sensors have in common: commands, and
// words of 16 bits each followed by its checksum (SHT3x-DIS, section 4.12). What a command means is
// in the drivers.
package sensirion

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/kit/chip"
)

// ErrCRC is in the error if a checksum is wrong: the transfer was disturbed.
var ErrCRC = errors.New("wrong checksum: the transfer was disturbed (long wires, weak pull-ups), or the device is another one")

// CRC returns the checksum: polynomial 0x31, initially 0xFF.
func CRC(b ...byte) byte {
	crc := byte(0xFF)
	for _, v := range b {
		crc ^= v
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ 0x31
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// A Conn is a sensor on a bus.
type Conn struct {
	*chip.Conn
	// Busy is the longest time for which the sensor, at work, acknowledges nothing: it may still be
	// at what a call began that was cancelled.
	Busy time.Duration
	r    [9]byte
}

// Send sends bytes, once more after Busy if they are not acknowledged.
func (c *Conn) Send(ctx context.Context, b ...byte) error {
	err := c.Write(b...)
	if !chip.NoAnswer(err) {
		return err
	}
	if err := drivers.Wait(ctx, c.Busy); err != nil {
		return err
	}
	return c.Write(b...)
}

// Fetch waits for d, the time that the command before it takes, and fills up to three words.
func (c *Conn) Fetch(ctx context.Context, d time.Duration, words []uint16) error {
	if err := drivers.Wait(ctx, d); err != nil {
		return err
	}
	r := c.r[:3*len(words)]
	if err := c.Read(r); err != nil {
		return err
	}
	for i := range words {
		w := r[3*i : 3*i+3]
		if got := CRC(w[:2]...); got != w[2] {
			return fmt.Errorf("word %d is % x, its checksum should be %02x: %w", i, w, got, ErrCRC)
		}
		words[i] = binary.BigEndian.Uint16(w)
	}
	return nil
}

// Command sends a command of 16 bits, with a word and its checksum if it takes one.
func (c *Conn) Command(ctx context.Context, command uint16, word ...uint16) error {
	hi, lo := byte(command>>8), byte(command)
	if len(word) == 0 {
		return c.Send(ctx, hi, lo)
	}
	a, b := byte(word[0]>>8), byte(word[0])
	return c.Send(ctx, hi, lo, a, b, CRC(a, b))
}

// Ask sends a command and fetches its answer after d.
func (c *Conn) Ask(ctx context.Context, command uint16, d time.Duration, words []uint16) error {
	if err := c.Command(ctx, command); err != nil {
		return err
	}
	return c.Fetch(ctx, d, words)
}
