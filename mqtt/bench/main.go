// Command bench compares publishers of QoS 1 messages on one machine: package mqtt,
// eclipse/paho.golang, and the bare limit, which is frames made in advance and no client at all.
// Each publishes to a peer that does nothing but acknowledge, and to mosquitto, with two Receive
// Maximums, with and without TLS.
//
// It is a module of its own, so that the product does not depend on the libraries of the
// comparison. Single runs scatter, with a small window by a factor of three, so the publishers take
// turns on connections of their own, and what is printed are medians over the rounds. The ratios
// are medians of the ratios within a round.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

var (
	rounds   = flag.Int("rounds", 9, "rounds of each comparison")
	length   = flag.Duration("time", 350*time.Millisecond, "length of one measurement")
	payload  = flag.Int("payload", 150, "bytes of payload")
	only     = flag.String("only", "", "run only the comparisons whose name contains this")
	without  = flag.Bool("without-paho", false, "leave out eclipse/paho.golang")
	peerMode = flag.String("peer", "", "internal: be the acknowledging peer, with this Receive Maximum and directory of certificates")
)

const topic = "fieldgate/bench/telemetry/sensor"

func main() {
	flag.Parse()
	if *peerMode != "" {
		fatal(servePeer(*peerMode))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fatal(compare(ctx))
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A result is one measurement of one publisher.
type result struct {
	perSecond float64 // acknowledged messages
	bytes     float64 // on the wire, per message
	writes    float64 // write system calls, per message
	allocs    float64 // per message, of the whole process
}

// A publisher publishes to a broker until the time is over.
type publisher struct {
	name string
	run  func(ctx context.Context, t target, length time.Duration) (result, error)
}

// A target is where to publish to.
type target struct {
	name   string
	url    *url.URL
	roots  string // file with the certificate of a TLS target
	window int    // its Receive Maximum
}

func compare(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := writeCertificate(dir); err != nil {
		return err
	}
	publishers := []publisher{{"fieldgate/mqtt", publishOurs}, {"bare limit", publishBare}, {"paho.golang", publishPaho}}
	if *without {
		publishers = publishers[:2]
	}
	fmt.Printf("QoS 1, %d bytes of payload, medians of %d rounds of %v\n\n", *payload, *rounds, *length)
	fmt.Printf("%-28s %-15s %10s %8s %9s %9s %7s %7s\n", "peer", "publisher", "msg/s", "of bare", "of paho", "bytes/msg", "wr/msg", "al/msg")
	var rows []row
	for _, start := range []func(dir string, window int, withTLS bool) (*process, error){startPeer, startMosquitto} {
		for _, window := range []int{20, 1000} {
			for _, withTLS := range []bool{false, true} {
				p, err := start(dir, window, withTLS)
				if err != nil {
					return err
				}
				rows, err = compareAt(ctx, p.target, publishers, rows)
				p.stop()
				if err != nil {
					return fmt.Errorf("%s: %w", p.target.name, err)
				}
			}
		}
	}
	printGoals(rows)
	return checkRecords(ctx, filepath.Join(dir, certificateFile), filepath.Join(dir, keyFile))
}

// compareAt lets the publishers take turns at one target and prints their rows. It appends that of
// the first to rows.
func compareAt(ctx context.Context, t target, publishers []publisher, rows []row) ([]row, error) {
	if !strings.Contains(t.name, *only) {
		return rows, nil
	}
	results := make([][]result, len(publishers))
	for range *rounds {
		for i, p := range publishers {
			r, err := p.run(ctx, t, *length)
			if err != nil {
				return rows, fmt.Errorf("%s: %w", p.name, err)
			}
			results[i] = append(results[i], r)
		}
	}
	for i, p := range publishers {
		of := func(j int) float64 {
			if j >= len(publishers) {
				return 0 // left out
			}
			var ratios []float64
			for n, r := range results[i] {
				ratios = append(ratios, r.perSecond/results[j][n].perSecond)
			}
			return median(ratios, func(r float64) float64 { return r })
		}
		m := row{target: t.name, window: t.window, ofBare: of(1), ofPaho: of(2), result: result{
			perSecond: median(results[i], func(r result) float64 { return r.perSecond }),
			bytes:     median(results[i], func(r result) float64 { return r.bytes }),
			writes:    median(results[i], func(r result) float64 { return r.writes }),
			allocs:    median(results[i], func(r result) float64 { return r.allocs }),
		}}
		fmt.Printf("%-28s %-15s %10.0f %8.2f %9.2f %9.1f %7.3f %7.2f\n", t.name, p.name, m.perSecond, m.ofBare, m.ofPaho, m.bytes, m.writes, m.allocs)
		if i == 0 {
			rows = append(rows, m)
		}
	}
	fmt.Println()
	return rows, nil
}

// median returns the median of a value of the elements of list.
func median[T any](list []T, value func(T) float64) float64 {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b T) int { return cmp.Compare(value(a), value(b)) })
	n := len(sorted)
	return (value(sorted[(n-1)/2]) + value(sorted[n/2])) / 2
}
