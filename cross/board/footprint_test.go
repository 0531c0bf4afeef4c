package board

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A sample is what the kernel says of the gateway's process.
type sample struct {
	pss float64       // MiB: its own memory, and its share of what others use too
	own float64       // MiB of it that are not pages of a file, which the kernel could take back
	cpu time.Duration // since its start
}

// TestFootprint measures the idle gateway as AWS measures its nucleus lite: the median of the
// proportional set size over ten minutes, with two sensors and a broker. FIELDGATE_FOOTPRINT says
// for how long; cross/README.md says what a figure of an emulated board means.
func TestFootprint(t *testing.T) {
	text := os.Getenv("FIELDGATE_FOOTPRINT")
	if text == "" {
		t.Skip("FIELDGATE_FOOTPRINT does not say for how long: run make footprint")
	}
	window, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	dir := needs(t)
	t.Run("amd64", func(t *testing.T) {
		t.Parallel()
		measureHere(t, gateway(dir, "amd64"), window)
	})
	for _, target := range []string{"armv6", "armv7"} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			measure(t, dir, target, window, spec{
				qemu:   []string{"qemu-system-arm", "-M", "ast2600-evb", "-serial", "chardev:console", "-nic", "user"},
				kernel: "armhf", dtb: "aspeed-ast2600-evb.dtb",
				params:  []string{"console=ttyS4,115200"},
				modules: []string{"mdio-aspeed", "realtek", "ftgmac100"},
			})
		})
	}
	t.Run("arm64", func(t *testing.T) {
		t.Parallel()
		measure(t, dir, "arm64", window, spec{
			qemu:   []string{"qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-m", "512", "-serial", "chardev:console", "-nic", "user,model=virtio"},
			kernel: "arm64", params: []string{"console=ttyAMA0"}, modules: []string{"virtio_pci", "virtio_net"},
		})
	})
}

// measure runs a target's gateway on an emulated board.
func measure(t *testing.T, dir, target string, window time.Duration, s spec) {
	broker := newBroker(t)
	s.files = []string{gateway(dir, target), "guest/footprint.toml"}
	s.params = append(s.params, fmt.Sprintf("BROKER=10.0.2.2:%d", broker.port), "STATE=/tmp") // for the configuration
	m := boot(t, s)
	m.run(10*time.Second, "ifconfig lo up; ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up")
	begin := time.Now()
	m.send("fieldgate run -c /etc/footprint.toml & gateway=$!")
	m.expect(time.Minute, `^## 0$`)
	report(t, broker, gateway(dir, target), begin, window, func() sample {
		m.send("grep '^Pss' /proc/$gateway/smaps_rollup; echo CPU $(cut -d' ' -f14,15 /proc/$gateway/stat)")
		pss := m.expect(time.Minute, `^Pss: +(\d+) kB$`)[1]
		own := m.expect(time.Minute, `^Pss_Anon: +(\d+) kB$`)[1]
		cpu := m.expect(time.Minute, `^CPU (\d+) (\d+)$`)
		return sampled(pss, own, cpu[1], cpu[2])
	})
}

// measureHere runs a gateway on this machine.
func measureHere(t *testing.T, program string, window time.Duration) {
	broker := newBroker(t)
	cmd := exec.Command(program, "run", "-c", "guest/footprint.toml")
	cmd.Env = append(os.Environ(), fmt.Sprintf("BROKER=127.0.0.1:%d", broker.port), "STATE="+t.TempDir())
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Signal(syscall.SIGTERM), cmd.Wait() }()
	proc := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid))
	report(t, broker, program, begin, window, func() sample {
		pss, err := os.ReadFile(proc + "/smaps_rollup")
		if err != nil {
			t.Fatal(err)
		}
		stat, err := os.ReadFile(proc + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		value := func(name string) string {
			_, rest, _ := strings.Cut(string(pss), "\n"+name+":")
			return strings.Fields(rest)[0]
		}
		cpu := strings.Fields(string(stat))
		return sampled(value("Pss"), value("Pss_Anon"), cpu[13], cpu[14])
	})
}

// sampled makes a sample of the kernel's numbers: KiB and ticks of 10 ms.
func sampled(pss, own, user, system string) sample {
	return sample{float(pss) / 1024, float(own) / 1024, time.Duration(float(user)+float(system)) * 10 * time.Millisecond}
}

// report waits until the gateway is online, samples it, and logs a row of docs/benchmarks.md.
func report(t *testing.T, b *broker, program string, begin time.Time, window time.Duration, take func() sample) {
	t.Helper()
	b.until(2*time.Minute, "online", func() bool { _, state := b.of("", time.Now()); return state == "online" })
	start := since(begin)
	const every = 10 * time.Second
	first := take()
	all, own := []float64{first.pss}, []float64{first.own}
	last, tick := first, time.NewTicker(every)
	defer tick.Stop()
	from := time.Now()
	for time.Since(from) < window {
		<-tick.C
		last = take()
		all, own = append(all, last.pss), append(own, last.own)
	}
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	readings, _ := b.of("hall", from)
	// An emulated board on a busy machine skips some.
	if due := int(window / time.Second); len(readings) < due/2 {
		t.Errorf("%d readings came of %d: the gateway did not do its work", len(readings), due)
	}
	slices.Sort(all)
	slices.Sort(own)
	t.Logf("| %s | %.1f MiB | %.1f to %.1f MiB | %.1f MiB | %v | %.1f MB | %.2f %% |", filepath.Base(filepath.Dir(program)), all[len(all)/2], all[0], all[len(all)-1],
		own[len(own)/2], start, float64(info.Size())/1e6, 100*float64(last.cpu-first.cpu)/float64(time.Since(from)))
}
