package main

import (
	"fmt"
	"io"
	"time"
)

func printRows(out io.Writer, rows []row, head bool) {
	if head {
		fmt.Fprintln(out, "gateways  connect  messages/s  of wanted  slowest ack  archived/s  up KiB/s  KiB a connection (client, broker)  CPU cores (client, broker)  failed  reconnects")
	}
	for _, r := range rows {
		fmt.Fprintf(out, "%8d  %6.1fs  %10.0f  %9.3f  %11s  %10.0f  %8.1f  %16.1f %16.1f  %14.2f %11.2f  %6d  %10d\n", r.gateways, r.connect.Seconds(), r.acked, r.acked/r.wanted,
			r.slowest.Round(time.Millisecond), r.archived, r.bytesUp/1024, perGateway(r.clientMemory, r), perGateway(r.brokerMemory, r), r.clientCPU, r.brokerCPU, r.failed, r.disconnections)
	}
}

// perGateway is KiB for each connection.
func perGateway(memory int64, r row) float64 { return float64(memory) / 1024 / float64(r.gateways) }

// printPlan says what a broker needs for so many gateways: memory and CPU grow with their number,
// so a line through the measurements is drawn on. It is a plan, not a measurement.
func printPlan(out io.Writer, rows []row, plan int, rate float64) {
	last := rows[len(rows)-1]
	if last.brokerMemory == 0 {
		fmt.Fprintln(out, "\nThe broker's process is not known (-pid), so there is no plan for it.")
		return
	}
	memory, cpu := slope(rows, func(r row) float64 { return float64(r.brokerMemory) }), slope(rows, func(r row) float64 { return r.brokerCPU })
	n := float64(plan)
	fmt.Fprintf(out, "\nA line through these measurements, drawn on to %d gateways at %g readings/s: the broker takes %.0f MiB more than with none, %.2f cores, and %.1f MiB/s come in.\n",
		plan, rate, memory*n/(1<<20), cpu*n, last.bytesUp/float64(last.gateways)*n/(1<<20))
}

// slope is what one gateway adds: the line through zero with the least squares.
func slope(rows []row, of func(row) float64) float64 {
	var xy, xx float64
	for _, r := range rows {
		x := float64(r.gateways)
		xy += x * of(r)
		xx += x * x
	}
	return xy / xx
}
