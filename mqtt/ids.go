package mqtt

import "math/bits"

// An idTable has the identifiers in use and the exchanges to which they belong, nil for requests.
// The place of an identifier is that of its lower bits; while it is taken others with the same ones
// cannot be used. It is made with twice the places that are needed, so that one of the next few
// identifiers is free, and costs less than half of what a map does for a message.
type idTable struct {
	slots []idSlot
	used  int
}

type idSlot struct {
	id uint16 // 0: free
	x  *exchange
}

// newIDTable returns a table for at least so many identifiers, as far as there are any.
func newIDTable(n int) idTable {
	return idTable{slots: make([]idSlot, min(1<<bits.Len(uint(2*n+16)), 1<<16))}
}

// full reports whether no identifier is free. No place has the identifier 0.
func (t *idTable) full() bool { return t.used == min(len(t.slots), 1<<16-1) }

func (t *idTable) slot(id uint16) *idSlot { return &t.slots[int(id)&(len(t.slots)-1)] }

// put notes that id belongs to x, or returns false if its place is taken.
func (t *idTable) put(id uint16, x *exchange) bool {
	s := t.slot(id)
	if s.id != 0 {
		return false
	}
	*s = idSlot{id, x}
	t.used++
	return true
}

// get returns the exchange to which id belongs, nil if there is none.
func (t *idTable) get(id uint16) *exchange {
	if s := t.slot(id); s.id == id {
		return s.x
	}
	return nil
}

// remove frees id, if it is in use.
func (t *idTable) remove(id uint16) {
	if s := t.slot(id); s.id == id && id != 0 {
		*s = idSlot{}
		t.used--
	}
}
