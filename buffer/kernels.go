package buffer

import "maps"

// A heldKey is something over which Take passes in a lane: the records of a stream, or those of a
// kernel boot.
type heldKey struct {
	stream string // "": the kernel boot
	kernel string
}

// HoldKernels makes Take skip the readings of these kernel boots (Record.Kernel) in both lanes of
// readings from now on; each call replaces the set, and nil holds none. It is Hold for records
// whose time is not known: a stream has records of several kernel boots, and those that are not
// held are taken meanwhile. Stats.Held counts what is held.
func (s *Store) HoldKernels(kernels map[string]bool) {
	s.mu.Lock()
	for _, lane := range []Lane{LiveLane, BacklogLane} {
		now := maps.Clone(s.passing[lane])
		if now == nil {
			now = map[heldKey]bool{}
		}
		maps.DeleteFunc(now, func(k heldKey, _ bool) bool { return k.stream == "" })
		for kernel, held := range kernels {
			if held {
				now[heldKey{kernel: kernel}] = true
			}
		}
		s.holdLocked(lane, now)
	}
	for c := range eventClass {
		counts := map[string]*heldKernel{}
		for kernel, held := range kernels {
			if !held {
				continue
			}
			counts[kernel] = s.shelves[c].kernels[kernel]
			if counts[kernel] == nil {
				counts[kernel] = &heldKernel{}
			}
		}
		s.shelves[c].kernels = counts
	}
	s.mu.Unlock()
	s.wakeTaker()
}

// A heldKernel counts the backlog of a kernel boot that is held. Take comes to it in the order of
// positions, perhaps more than once, so what is below the highest position was counted. Its methods
// do nothing for nil: a kernel boot that is not held.
type heldKernel struct {
	to uint64 // the position behind the last record that was counted
	n  int64
}

// pass counts a record over which Take passes.
func (k *heldKernel) pass(pos uint64) {
	if k != nil && pos >= k.to {
		k.to = pos + 1
		k.n++
	}
}

// add counts records that came or went, at a position or from it on.
func (k *heldKernel) add(pos uint64, n int64) {
	if k != nil && pos < k.to {
		k.n += n
	}
}

// heldLocked returns how many readings wait because of HoldKernels, as far as Take has come to
// them. Live readings are all of this kernel boot.
func (s *Store) heldLocked() (n int64) {
	for _, sh := range s.shelves[:eventClass] {
		for _, k := range sh.kernels {
			n += k.n
		}
		if sh.kernels[s.o.KernelBoot] != nil {
			n += sh.live
		}
	}
	return n
}
