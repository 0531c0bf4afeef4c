package credential

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
)

// script writes a program and returns its path.
func script(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

func password(t *testing.T, argv ...string) (string, error) {
	t.Helper()
	p, _, err := Password(t.Context(), config.MQTT{PasswordCommand: argv})
	if strings.Contains(fmt.Sprint(err), "secret") {
		t.Errorf("the error has the output: %v", err)
	}
	return string(p), err
}

func TestPasswordCommand(t *testing.T) {
	t.Setenv("FIELDGATE_TEST_TOKEN", "from the environment")
	for _, v := range []struct{ name, text, want string }{
		{"plain", "echo secret", "secret"},
		{"no line end", "printf secret", "secret"},
		{"line end of Windows", `printf 'secret\r\n'`, "secret"},
		{"environment", `echo "$FIELDGATE_TEST_TOKEN"`, "from the environment"},
		{"arguments", `echo "$#/$1"`, "2/a b; echo c"},
		{"empty input", "cat; echo end", "end"},
		{"noise on standard error", "echo warning >&2; echo secret", "secret"},
		{"largest", "head -c 65536 /dev/zero | tr '\\0' x", strings.Repeat("x", maxPassword)},
	} {
		t.Run(v.name, func(t *testing.T) {
			if p, err := password(t, script(t, v.text), "a b; echo c", "*"); p != v.want || err != nil {
				t.Errorf("%.80q, %v", p, err)
			}
		})
	}
}

func TestPasswordCommandFails(t *testing.T) {
	for _, v := range []struct{ name, text, want string }{
		{"nothing", "", "prints nothing"},
		{"a line end only", "echo", "prints nothing"},
		{"exit 1", "echo secret; echo first >&2; echo 'no network' >&2; exit 1", `exit status 1: it says "no network"`},
		{"killed", "echo secret; kill -9 $$", "signal: killed"},
		{"novel", "echo secret; yes secret", "prints more than 65536 bytes"},
		{"finite novel", "head -c 65537 /dev/zero | tr '\\0' x", "prints more than 65536 bytes"},
		{"novel on standard error", `yes "$(printf '\033[31mred')" | head -n 100000 >&2; exit 3`, `exit status 3: it says "\x1b[31mred"`},
	} {
		t.Run(v.name, func(t *testing.T) {
			if p, err := password(t, script(t, v.text)); err == nil || !strings.Contains(err.Error(), v.want) || !strings.HasPrefix(err.Error(), "mqtt.password_command: ") {
				t.Errorf("%.80q, %v", p, err)
			}
		})
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"/no/such/program": "no such file", text: "permission denied", t.TempDir(): "permission denied"} {
		if _, err := password(t, file); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestPasswordCommandHangs: the program is killed with everything that it started.
func TestPasswordCommandHangs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, _, err := Password(ctx, config.MQTT{PasswordCommand: []string{script(t, "sleep 1000 & echo $! > "+file+"; echo 'asking the server' >&2; wait")}})
	if err == nil || !strings.Contains(err.Error(), `has not ended within 300ms and was killed: it says "asking the server"`) {
		t.Error(err)
	}
	gone(t, file)
}

// TestPasswordCommandLeavesAChild: one that keeps the output open delays the password for a second
// and is killed.
func TestPasswordCommandLeavesAChild(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	begin := time.Now()
	p, err := password(t, script(t, "sleep 1000 & echo $! > "+file+"; echo secret"))
	if p != "secret" || err != nil {
		t.Errorf("%q, %v", p, err)
	}
	if d := time.Since(begin); d > commandTime {
		t.Errorf("it took %v", d)
	}
	gone(t, file)
}

// gone checks that the process whose id a file has ends.
func gone(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(state), ") Z ") { // gone, or nobody asked for its end
			return
		}
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d still runs", pid)
		}
	}
}

// jwt returns a token with a payload.
func jwt(payload string) string {
	b := base64.RawURLEncoding
	return b.EncodeToString([]byte(`{"alg":"none"}`)) + "." + b.EncodeToString([]byte(payload)) + "." + b.EncodeToString([]byte("signature"))
}

func TestTokenEnd(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for text, want := range map[string]time.Duration{
		jwt(`{"exp":1800000060}`):              time.Minute,
		jwt(`{"exp":1800000000.5}`):            500 * time.Millisecond,
		jwt(`{"sub":"gw","exp":1.80000006e9}`): time.Minute,
		jwt(`{"exp":1800000000}`):              0, // ended
		jwt(`{"exp":0}`):                       0,
		jwt(`{"exp":-1}`):                      0,
		jwt(`{"exp":1e300}`):                   0,
		jwt(`{"exp":"1800000060"}`):            0,
		jwt(`{"sub":"gw"}`):                    0,
		jwt(`[1]`):                             0,
		"secret":                               0,
		"a.b.c":                                0,
		"..":                                   0,
		"":                                     0,
		strings.Repeat(".", maxPassword):       0,
		jwt(`{"exp":1800000060}`) + ".more":    0,
		jwt(`{"exp":1800000060}`) + "=":        0,
		"!" + jwt(`{"exp":1800000060}`):        0,
	} {
		end := tokenEnd([]byte(text), now)
		if want == 0 && !end.IsZero() || want != 0 && end.Sub(now) != want {
			t.Errorf("%.60q ends at %v, want %v later", text, end, want)
		}
	}
}
