package line

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	maxSteps = 16
	maxIndex = 65535
)

// A step of a path in JSON is the name of a member, or the index of an element.
type step struct {
	name  string
	index int // -1: it is a name
}

// parsePath returns the steps of "sensor.temp", "values[0]", "[0].v". A backslash takes from the
// character after it what that means.
func parsePath(path string) ([]step, error) {
	var steps []step
	for rest, first := path, true; rest != "" || first; first = false {
		if strings.HasPrefix(rest, "[") {
			digits, after, closed := strings.Cut(rest[1:], "]")
			index, err := strconv.ParseUint(digits, 10, 32)
			if !closed || err != nil || index > maxIndex {
				return nil, fmt.Errorf("an index is a number from 0 to %d between brackets, such as values[0]", maxIndex)
			}
			steps, rest = append(steps, step{index: int(index)}), after
			continue
		}
		if !first {
			if !strings.HasPrefix(rest, ".") {
				return nil, errors.New("after an index comes a dot, or another index")
			}
			rest = rest[1:]
		}
		var name string
		if name, rest = cutName(rest); name == "" {
			return nil, errors.New("a name is missing; it is written as sensor.temp or values[0]")
		}
		steps = append(steps, step{name, -1})
	}
	if len(steps) > maxSteps {
		return nil, fmt.Errorf("it has %d steps; want at most %d", len(steps), maxSteps)
	}
	return steps, nil
}

// cutName returns the name that text begins with, and what comes after it.
func cutName(text string) (name, rest string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '.', c == '[':
			return b.String(), text[i:]
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// A tree has the paths that are looked for in JSON.
type tree struct {
	members  []branch
	elements []branch
	slots    []int // whose value is here
}

type branch struct {
	step
	tree *tree
}

// add adds a path to a slot.
func (t *tree) add(steps []step, slot int) {
	if len(steps) == 0 {
		t.slots = append(t.slots, slot)
		return
	}
	list := &t.members
	if steps[0].index >= 0 {
		list = &t.elements
	}
	for _, b := range *list {
		if b.step == steps[0] {
			b.tree.add(steps[1:], slot)
			return
		}
	}
	b := branch{steps[0], &tree{}}
	*list = append(*list, b)
	b.tree.add(steps[1:], slot)
}

func (t *tree) member(name string) *tree {
	for i := range t.members {
		if t.members[i].name == name {
			return t.members[i].tree
		}
	}
	return nil
}

func (t *tree) element(index int) *tree {
	for i := range t.elements {
		if t.elements[i].index == index {
			return t.elements[i].tree
		}
	}
	return nil
}
