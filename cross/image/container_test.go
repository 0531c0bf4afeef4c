package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// inside names the root of a container; with it the test binary is the container's first process.
const inside = "IMAGE_TEST_ROOT"

func TestMain(m *testing.M) {
	if root := os.Getenv(inside); root != "" {
		fmt.Fprintln(os.Stderr, "starting the container:", enter(root))
		os.Exit(125)
	}
	os.Exit(m.Run())
}

// enter does what a container's runtime does, in the namespaces that it was started in, and becomes
// the program: loopback, /proc, the root, the user without any rights.
func enter(root string) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	steps := []func() error{
		func() error { return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, lo) },
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, "") },
		func() error { return unix.Chroot(root) },
		func() error { return unix.Chdir("/") },
		func() error { return syscall.Setgroups(nil) },
		func() error { return syscall.Setgid(uid) },
		func() error { return syscall.Setuid(uid) },
		func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) },
		func() error {
			os.Unsetenv(inside)
			return unix.Exec(os.Args[1], os.Args[1:], os.Environ())
		},
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

// container prepares a program in a container of an image's files, its user and environment.
func container(ctx context.Context, t *testing.T, root string, config v1.Config, arguments ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append(config.Entrypoint, arguments...)...)
	cmd.Env = append(config.Env, inside+"="+root)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	return cmd
}

// TestContainer runs what `make image` built as far as that is possible without a container's
// runtime: its own files and nothing else, as its user, in namespaces of its own.
func TestContainer(t *testing.T) {
	out := os.Getenv("FIELDGATE_IMAGE")
	if out == "" {
		t.Skip("FIELDGATE_IMAGE does not name the image: run make test-image")
	}
	if os.Getuid() != 0 {
		t.Skip("namespaces and a root of its own need root")
	}
	image := images(t, out)["linux/"+runtime.GOARCH]
	if image == nil {
		t.Skipf("no image for %s", runtime.GOARCH)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	root := unpack(t, image)
	t.Run("demo", func(t *testing.T) {
		text, err := container(t.Context(), t, root, file.Config, "demo", "--for", "8s").CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if err != nil || !strings.Contains(lines[len(lines)-1], "COMPLETE") {
			t.Fatalf("got %v\n%s", err, text)
		}
		t.Log(lines[len(lines)-1])
	})
	t.Run("run", func(t *testing.T) { service(t, root, file.Config) })
}

// service runs the gateway with a mounted configuration, asks it as the health check does, and
// stops it as a runtime does.
func service(t *testing.T, root string, config v1.Config) {
	put(t, filepath.Join(root, "etc/fieldgate/fieldgate.toml"), `
[mqtt]
urls = ["mqtt://127.0.0.1:1883"]
[gateway]
id = "box"
trust_clock = true
[[sensor]]
name = "board"
driver = "host"
every = "1s"
`)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	cmd := container(ctx, t, root, config, config.Cmd...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // received below
	check := config.Healthcheck.Test[1:]
	var text []byte
	err := error(nil)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		// In the gateway's namespaces: what a runtime's exec does.
		enterAll := []string{"-t", fmt.Sprint(cmd.Process.Pid), "-m", "-n", "-p", "-r", "-w", "-S", fmt.Sprint(uid), "-G", fmt.Sprint(uid), "--"}
		health := exec.CommandContext(ctx, "nsenter", append(enterAll, check...)...)
		health.Env = config.Env
		if text, err = health.CombinedOutput(); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil || !strings.Contains(string(text), "board") {
		t.Errorf("health check: %v\n%s", err, text)
	}
	stop()
	if err := <-ended; cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("the gateway ended with %v", err)
	}
	info, err := os.Stat(filepath.Join(root, "var/lib/fieldgate/queue.db"))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != uid {
		t.Errorf("the store: %v, %v", info, err)
	}
	if t.Failed() {
		t.Logf("log:\n%s", &log)
	}
}
