package main

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// A row is what package mqtt reached at one target.
type row struct {
	target         string
	window         int
	result         // medians
	ofBare, ofPaho float64
}

// A goal is a bound for a value of some rows. The worst one is printed.
type goal struct {
	what   string
	at     string // in the target's name
	window int    // 0: any
	least  bool   // the bound is a lower one
	bound  float64
	value  func(row) float64
}

var goals = []goal{
	{"times paho.golang, fake peer", "fake peer", 0, true, 10, func(r row) float64 { return r.ofPaho }},
	{"of the bare limit, fake peer", "fake peer", 0, true, 0.5, func(r row) float64 { return r.ofBare }},
	{"of the bare limit, mosquitto", "mosquitto", 0, true, 0.8, func(r row) float64 { return r.ofBare }},
	{"allocations per message", "", 0, false, 1, func(r row) float64 { return r.allocs }},
	{"write calls per message, mosquitto, window 20", "mosquitto", 20, false, 0.35, func(r row) float64 { return r.writes }},
}

// printGoals compares the rows with the goals.
func printGoals(rows []row) {
	fmt.Printf("%-48s %8s %8s %-7s %s\n", "goal", "bound", "worst", "", "where")
	for _, g := range goals {
		var worst *row
		for i := range rows {
			r := &rows[i]
			if !strings.Contains(r.target, g.at) || g.window != 0 && g.window != r.window {
				continue
			}
			if worst == nil || (g.value(*r) < g.value(*worst)) == g.least {
				worst = r
			}
		}
		if worst == nil || g.value(*worst) == 0 && g.least {
			continue // not measured
		}
		verdict := "met"
		if v := g.value(*worst); g.least && v < g.bound || !g.least && v > g.bound {
			verdict = "missed"
		}
		fmt.Printf("%-48s %8.2f %8.2f %-7s %s\n", g.what, g.bound, g.value(*worst), verdict, worst.target)
	}
	verdict := "met"
	n := encoderAllocations()
	if n > 0 {
		verdict = "missed"
	}
	fmt.Printf("%-48s %8.2f %8.2f %-7s\n", "allocations in the encoder", 0.0, n, verdict)
}

// encoderAllocations returns how often encoding a message allocates.
func encoderAllocations() float64 {
	p := packet.Publish{QoS: 1, ID: 1, Topic: topic, Payload: make([]byte, *payload)}
	b := p.Append(nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const n = 100_000
	for range n {
		b = p.Append(b[:0])
	}
	runtime.ReadMemStats(&after)
	return float64((after.Mallocs - before.Mallocs) / n)
}
