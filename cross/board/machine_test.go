package board

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A spec is a machine to be booted.
type spec struct {
	qemu    []string // program and arguments of the machine
	kernel  string   // Debian's architecture of it
	dtb     string   // device tree, in the kernel's package; "" is the machine's own
	params  []string // of the kernel
	modules []string // to be loaded
	files   []string // guest programs, and configurations
}

// A machine is an emulated board that is running.
type machine struct {
	*console
	qmp    *qmp
	t      *testing.T
	dir    string
	booted time.Time
}

const bootTime = 2 * time.Minute // far more than it takes on a slow machine

// needs returns the folder with kernels and guest programs, and skips the test if there is none.
func needs(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("FIELDGATE_BOARD")
	if dir == "" {
		t.Skip("FIELDGATE_BOARD does not name the folder with the kernels: run make test-board")
	}
	return dir
}

// gateway returns the gateway's binary for a target of make cross.
func gateway(dir, target string) string {
	return filepath.Join(dir, "..", "linux-"+target, "fieldgate")
}

// boot starts a machine and waits until it takes commands. It ends with the test.
func boot(t *testing.T, s spec) *machine {
	t.Helper()
	dir := needs(t)
	m := &machine{t: t, dir: t.TempDir()}
	kernel := filepath.Join(dir, s.kernel)
	initrd := filepath.Join(m.dir, "initrd.gz")
	arguments := append([]string{"initrd.sh", initrd, kernel, "guest/init"}, s.modules...)
	if out, err := exec.Command("bash", append(append(arguments, "--"), s.files...)...).CombinedOutput(); err != nil {
		t.Fatalf("initrd.sh: %v\n%s", err, out)
	}
	// The kernel's errors would come in the midst of lines of programs: dmesg has them. What is
	// worse still comes.
	params := append([]string{"rdinit=/init", "panic=-1", "loglevel=3", "MODULES=" + strings.Join(s.modules, ","), fmt.Sprintf("NOW=%d", time.Now().Unix())}, s.params...)
	arguments = append(s.qemu[1:],
		"-display", "none", "-no-reboot", "-monitor", "none",
		"-kernel", one(t, kernel+"/boot/vmlinuz-*"), "-initrd", initrd, "-append", strings.Join(params, " "),
		"-chardev", "socket,id=console,mux=on,server=on,wait=on,path="+m.socket("console"),
		"-qmp", "unix:"+m.socket("qmp")+",server=on,wait=off")
	if s.dtb != "" {
		arguments = append(arguments, "-dtb", one(t, kernel+"/usr/lib/linux-image-*/"+s.dtb))
	}
	begin := time.Now()
	m.start(s.qemu[0], arguments)
	up := m.expect(bootTime, `BOOTED (.*)`)
	m.booted = time.Now()
	t.Logf("booted %s in %v (%s s of its own time)", strings.Join(s.qemu[:3], " "), since(begin), up[1])
	return m
}

// start runs QEMU and connects to it.
func (m *machine) start(program string, arguments []string) {
	m.t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(program, arguments...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		m.t.Fatalf("%v: install qemu-system-arm", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // received at the end
	m.t.Cleanup(func() {
		if err := cmd.Process.Kill(); err == nil {
			<-ended
		}
		if m.t.Failed() && said.Len() > 0 {
			m.t.Logf("QEMU said:\n%s", &said)
		}
	})
	m.console = newConsole(m.t, m.connect("console", ended))
	m.qmp = newQMP(m.t, m.connect("qmp", ended))
}

// socket returns the path of a socket of QEMU's.
func (m *machine) socket(name string) string { return filepath.Join(m.dir, name) }

// one returns the one file that a pattern matches.
func one(t *testing.T, pattern string) string {
	t.Helper()
	names, _ := filepath.Glob(pattern)
	if len(names) != 1 {
		t.Fatalf("want one %s, got %q: run cross/board/fetch.sh", pattern, names)
	}
	return names[0]
}

// since returns how long ago a moment is, as it is printed.
func since(t time.Time) time.Duration { return round(time.Since(t)) }

func round(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(100 * time.Millisecond)
}
