package devfile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A container has pseudo-terminals of its own, with the same names: its programs are not in the way
// of ours.
func TestPseudoTerminalOfAContainer(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprint("/dev/pts/", number)
	// script(1) gives a program a pseudo-terminal, of which the first has the number 0.
	const container = `mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts && mount --bind /dev/pts/ptmx /dev/ptmx || exit 9
		for i in $(seq 0 "$0"); do script -qc 'echo ready; exec sleep 1000' /dev/null & done; wait`
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", container, fmt.Sprint(number))
	ready, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	buf := make([]byte, 64)
	for n := 0; n <= number; {
		got, err := ready.Read(buf)
		if err != nil {
			t.Skipf("a container needs rights, and the program script: %v", cmd.Wait())
		}
		n += strings.Count(string(buf[:got]), "ready")
	}
	// One of them has the name that ours has.
	for deadline := time.Now().Add(10 * time.Second); !opened(name); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no program of the container has %s open", name)
		}
	}
	if got := Holders(name); len(got) != 0 {
		t.Errorf("of a container: %v", got)
	}
}

// opened reports whether a program has a file of this name open.
func opened(name string) bool {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/0")
	for _, link := range links {
		if target, _ := os.Readlink(link); target == name {
			return true
		}
	}
	return false
}
