// Fleet plans a broker: it starts simulated gateways of the real MQTT client against a broker, one
// process for all of them, and prints what they and the broker need. Each gateway connects with a
// session and a will, announces itself, and then sends a reading at a fixed rate as the product
// does with its defaults: telemetry, and the newest reading as a retained message. One subscriber
// takes all telemetry, as an archive does.
//
//	fleet -broker mqtt://127.0.0.1:1883 -pid $(pidof mosquitto) -gateways 100,1000,3000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

func main() {
	broker := flag.String("broker", "mqtt://127.0.0.1:1883", "`URL` of the broker")
	pid := flag.Int("pid", 0, "process of the broker, if it runs on this machine: its memory and CPU are printed")
	counts := flag.String("gateways", "100,1000,3000", "how many, one after the other")
	rate := flag.Float64("rate", 1, "readings a second of each gateway")
	last := flag.Bool("last", true, "send the newest reading as a retained message as well")
	span := flag.Duration("for", 30*time.Second, "how long each number is measured")
	plan := flag.Int("plan", 10000, "gateways to plan for")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *broker, *pid, *counts, *rate, *last, *span, *plan); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, broker string, pid int, counts string, rate float64, last bool, span time.Duration, plan int) error {
	var rows []row
	for word := range strings.SplitSeq(counts, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < 1 {
			return fmt.Errorf("-gateways %s: %q is not a number of gateways", counts, word)
		}
		r, err := measure(ctx, broker, pid, n, rate, last, span)
		if err != nil {
			return err
		}
		rows = append(rows, r)
		printRows(os.Stdout, rows[len(rows)-1:], len(rows) == 1)
	}
	printPlan(os.Stdout, rows, plan, rate)
	return nil
}
