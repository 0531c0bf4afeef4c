package powercut

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/buffer/powertest/disk"
)

// brokerAddress is where the machine finds the broker; nothing else of this machine's network is
// there for it.
const brokerAddress = "10.0.2.100:1883"

// A machine is one boot of the disk.
type machine struct {
	t       *testing.T
	disk    *disk.Disk
	medium  *os.File
	served  chan struct{}
	qemu    *exec.Cmd
	line    net.Conn // where commands go
	lines   *bufio.Reader
	console *tail
	number  int // of the last command
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, p...)
	w.b = w.b[max(0, len(w.b)-8000):]
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(bytes.ReplaceAll(w.b, []byte("\r"), nil))
}

// boot starts the machine on a medium.
func boot(t *testing.T, medium string, port string) *machine {
	t.Helper()
	m := &machine{t: t, served: make(chan struct{}), console: &tail{}}
	var err error
	if m.medium, err = os.OpenFile(medium, os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	if m.disk, err = disk.New(m.medium, math.MaxInt); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(medium)
	socket, commands := filepath.Join(dir, "disk.sock"), filepath.Join(dir, "commands.sock")
	os.Remove(socket)
	os.Remove(commands)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(m.served)
		_ = m.disk.Serve(l) // ends with QEMU
		l.Close()
	}()
	shell, err := net.Listen("unix", commands)
	if err != nil {
		t.Fatal(err)
	}
	defer shell.Close()
	m.qemu = exec.Command("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "512", "-nodefaults", "-no-reboot", "-display", "none",
		"-kernel", *kernel, "-initrd", *initrd, "-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on mitigations=off net.ifnames=0 systemd.show_status=0",
		"-serial", "stdio", "-serial", "unix:"+commands,
		"-netdev", "user,id=n,restrict=on,guestfwd=tcp:"+brokerAddress+"-cmd:busybox nc 127.0.0.1 "+port, "-device", "virtio-net-pci,netdev=n,romfile=",
		"-drive", "if=none,id=d,format=raw,cache=none,aio=threads,file=nbd+unix:///?socket="+socket, "-device", "virtio-blk-pci,drive=d,write-cache=on,logical_block_size=4096,physical_block_size=4096")
	m.qemu.Stdout, m.qemu.Stderr = m.console, m.console
	if err := m.qemu.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.qemu.Process.Kill() }) // of a test that failed
	err = shell.(*net.UnixListener).SetDeadline(time.Now().Add(10 * time.Second))
	if err == nil {
		m.line, err = shell.Accept()
	}
	if err != nil {
		m.cut(0)
		t.Fatalf("QEMU does not connect: %v\n%s", err, m.console)
	}
	m.lines = bufio.NewReader(m.line)
	return m
}

// cut takes the power away. Of what was not flushed each sector reaches the medium with this
// probability; it returns how many there were.
func (m *machine) cut(probability float64) int {
	m.t.Helper()
	_ = m.qemu.Process.Kill()
	_ = m.qemu.Wait()
	<-m.served
	if m.line != nil {
		m.line.Close()
	}
	n, err := m.disk.Lose(probability)
	if err == nil {
		err = m.medium.Close()
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

// begin types a command and does not wait for it.
func (m *machine) begin(command string) {
	m.t.Helper()
	if _, err := fmt.Fprintf(m.line, "%s\n", command); err != nil {
		m.t.Fatalf("%s: %v\n%s", command, err, m.console)
	}
}

// do runs a command as root and returns what it prints and its exit code. It waits for the shell
// that systemd starts.
func (m *machine) do(ctx context.Context, command string) (out string, code int) {
	m.t.Helper()
	m.number++
	mark := fmt.Sprintf("end-%d-", m.number)
	stop := context.AfterFunc(ctx, func() { m.line.SetReadDeadline(time.Now()) })
	defer stop()
	m.begin(fmt.Sprintf("( %s ); printf '\\nend-%%d-%%d\\n' %d $?", command, m.number))
	var text strings.Builder
	for {
		line, err := m.lines.ReadString('\n')
		if err != nil {
			m.t.Fatalf("%s: no answer: %v\n%s\n%s", command, err, &text, m.console)
		}
		line = strings.TrimRight(line, "\r\n")
		if rest, ok := strings.CutPrefix(line, mark); ok {
			if _, err := fmt.Sscan(rest, &code); err != nil {
				m.t.Fatalf("%s: %q", command, line)
			}
			return strings.TrimSpace(text.String()), code
		}
		text.WriteString(line + "\n")
	}
}
