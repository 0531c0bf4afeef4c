// Command i2cstress is a guest program of the emulated boards: it reads a register with a known
// value as fast as it can through drivers/bus, each time in a new goroutine at another depth of
// calls, so that the stack grows at every place of a transfer, while others grow and shrink theirs.
// A bus that hands stale addresses to the kernel fails here, which the tests of drivers/bus cannot
// show with a fake kernel.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"periph.io/x/conn/v3/i2c"

	"github.com/fieldgate/fieldgate/drivers/bus"
)

func main() {
	name := flag.String("bus", "/dev/i2c-0", "the I2C `bus`, with a TMP105 at 0x48 as it is after power-up")
	long := flag.Duration("for", 20*time.Second, "how long")
	flag.Parse()
	host := bus.New(slog.New(slog.DiscardHandler))
	b, err := host.I2C(*name)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	n, bad := stress(b, *long)
	fmt.Printf("STRESS %d transfers, %d bad\n", n, bad)
	if err := host.Close(); err != nil || bad > 0 {
		os.Exit(1)
	}
}

// stress returns how many transfers were made and how many of them went wrong.
func stress(b i2c.Bus, long time.Duration) (n, bad int) {
	end := time.Now().Add(long)
	stop := make(chan struct{})
	var churners sync.WaitGroup
	for range 2 {
		churners.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() { churn(30) })
				}
				wg.Wait()
			}
		})
	}
	for time.Now().Before(end) {
		for depth := range 300 {
			var wg sync.WaitGroup
			wg.Go(func() {
				at(depth, func() {
					const limit = 3 // the register of the upper limit, 80 °C after power-up
					r := make([]byte, 2)
					n++
					if err := b.Tx(0x48, []byte{limit}, r); err != nil || r[0] != 0x50 || r[1] != 0 {
						bad++
						fmt.Printf("BAD at depth %d: % x, %v\n", depth, r, err)
					}
				})
			})
			wg.Wait()
		}
		runtime.GC()
	}
	close(stop)
	churners.Wait()
	return n, bad
}

// at calls f below n more calls.
//
//go:noinline
func at(n int, f func()) int {
	if n == 0 {
		f()
		return 1
	}
	return at(n-1, f) + 1
}

// churn fills a stack with what is not an address.
//
//go:noinline
func churn(n int) int {
	var fill [200]byte
	for i := range fill {
		fill[i] = 0xEE
	}
	if n == 0 {
		return int(fill[3])
	}
	return churn(n-1) + int(fill[7])
}
