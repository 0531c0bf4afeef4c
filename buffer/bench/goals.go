package main

import "fmt"

// A goal is a bound and what was measured.
type goal struct {
	what     string
	bound    float64
	measured float64
	least    bool // the bound is a lower one
}

func (b *bench) atLeast(what string, bound, measured float64) {
	b.goals = append(b.goals, goal{what, bound, measured, true})
}

func (b *bench) atMost(what string, bound, measured float64) {
	b.goals = append(b.goals, goal{what, bound, measured, false})
}

func (b *bench) printGoals() {
	fmt.Printf("\n%-72s %12s %12s\n", "goal", "bound", "measured")
	for _, g := range b.goals {
		verdict := "met"
		if g.least && g.measured < g.bound || !g.least && g.measured > g.bound {
			verdict = "missed"
		}
		fmt.Printf("%-72s %12.2f %12.2f %s\n", g.what, g.bound, g.measured, verdict)
	}
}
