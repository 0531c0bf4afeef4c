package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/modbus/modbustest"
	"github.com/fieldgate/fieldgate/internal/setup"
)

// securedBroker is mosquitto with TLS by an authority of its own, and one user.
func securedBroker(t *testing.T) (url string, a *authority) {
	t.Helper()
	needMosquitto(t)
	a = newAuthority(t)
	a.issue("server", []net.IP{net.IPv4(127, 0, 0, 1)}, false)
	if out, err := exec.Command("mosquitto_passwd", "-b", "-c", a.path("passwords"), "gw1", "open-sesame").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v: %s", err, out)
	}
	m := newMosquitto(t, "per_listener_settings false", "password_file "+a.path("passwords"), "allow_anonymous false")
	m.secure(a)
	return "mqtts://127.0.0.1:" + m.port, a
}

func fingerprint(a *authority, name string) string {
	text, err := os.ReadFile(a.path(name + ".pem"))
	if err != nil {
		a.t.Fatal(err)
	}
	out, err := exec.Command("openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", a.path(name+".pem")).Output()
	if err == nil {
		_, print, _ := strings.Cut(strings.TrimSpace(string(out)), "=")
		return print
	}
	a.t.Skipf("openssl: %v (%d bytes)", err, len(text))
	return ""
}

// only checks that a folder has these files and nothing else.
func only(t *testing.T, dir string, want ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s has %v, want %v", dir, got, want)
	}
}

// TestInitAsksAPerson: a whole conversation at a terminal, with what goes wrong at first contact: a
// host without a broker, a certificate nobody knows, a wrong password, a wrong answer.
func TestInitAsksAPerson(t *testing.T) {
	t.Parallel()
	url, _ := securedBroker(t)
	meter := modbustest.NewUnit().Input(0x34, make([]uint16, 2)...).Input(0x46, 0x4247, 0xeb85).Input(0x48, make([]uint16, 4)...).Input(0x156, make([]uint16, 4)...)
	for address := uint16(0); address <= 0x1e; address += 6 {
		meter.Input(address, 0x4367, 0x8000) // 231.5
	}
	meter.Input(0x4c, make([]uint16, 4)...)
	port := modbusLine(t, 9600, map[byte]*modbustest.Unit{3: meter})
	dir := filepath.Join(t.TempDir(), "etc")
	file := filepath.Join(dir, "fieldgate.toml")

	s := sit(t, 100, nil, "init", "-o", file, "--no-scan")
	s.answer("Name of this gateway", "no/slash")
	s.answer("Name of this gateway", "gw1")
	s.answer("Broker, such as", "mqtt://127.0.0.1:1")
	s.expect("Nothing listens at the port")
	s.answer("Try again [Y/n]:", "")
	s.answer("[mqtt://127.0.0.1:1]:", "127.0.0.1:2")
	s.expect("That is mqtts://127.0.0.1:2, with TLS; mqtt://HOST is without.")
	s.answer("Try again [Y/n]:", "")
	s.answer("[mqtts://127.0.0.1:2]:", "ftp://127.0.0.1")
	s.expect("ftp")
	s.answer("Broker, such as", url)
	s.expect("issuer: CN=ca")
	s.expect("SHA-256 fingerprint:")
	s.answer("Trust it [y/N]:", "y")
	s.answer("User name", "gw1")
	s.answer("Password (it is not shown):", "wrong")
	s.expect("not authorized")
	s.answer("Try again [Y/n]:", "what")
	s.answer("Try again [Y/n]:", "")
	s.answer("["+url+"]:", "") // and no second question about the certificate
	s.answer("User name [gw1]:", "")
	s.answer("Password (it is not shown):", "open-sesame")
	s.expect("It accepts this gateway")
	s.answer("Its name (- leaves it out) [board]:", "hall board!")
	s.answer("Its name (- leaves it out) [board]:", "board")
	s.expect("| [gateway]")
	s.answer("Write this to "+file+" [Y/n]:", "")
	s.leaves(exitDone)
	s.expect(file + " is there: gateway gw1, 1 sensor.")
	if strings.Contains(s.text(), "open-sesame") || strings.Contains(s.text(), "wrong") {
		t.Error("the terminal shows a password")
	}
	only(t, dir, "ca.pem", "fieldgate.toml", "mqtt-password")
	for name, mode := range map[string]os.FileMode{"fieldgate.toml": 0o640, "mqtt-password": 0o600, "ca.pem": 0o640} {
		if group := groupOfService(); group != nil {
			mode = 0o640
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	g := &gatewayRig{t: t, dir: dir, binary: needBinary(t)}
	if out, code := g.command("check", file); code != exitDone || strings.Contains(out, "warning: mqtt") {
		t.Errorf("check: %s", out)
	}
	doctor := exec.Command(g.binary, "doctor", "-c", file, "--state-dir", t.TempDir())
	doctor.Env = append(os.Environ(), "RUNTIME_DIRECTORY="+t.TempDir()) // no gateway of this machine is asked
	if out, err := doctor.CombinedOutput(); err != nil {
		t.Errorf("doctor: %v\n%s", err, out)
	}
	// Again: what is there stays, unless it is said; then it is kept.
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out, code := g.command("init", "-o", file, "--yes", "--broker", "none", "--no-scan"); code != exitFailed || !strings.Contains(out, "is there already: edit it, or") {
		t.Errorf("exit code %d: %s", code, out)
	}
	out, code := g.command("init", "-o", file, "--yes", "--broker", "none", "--force", "--modbus", port, "--json")
	var r setup.Result
	if i := strings.Index(out, "\n{"); i < 0 || json.Unmarshal([]byte(out[i:]), &r) != nil || code != exitDone || len(r.Kept) != 1 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if kept, err := os.ReadFile(r.Kept[0]); err != nil || string(kept) != string(before) {
		t.Errorf("kept: %v\n%s", err, kept)
	}
	c, err := config.Load(file, catalogue())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range c.Sensors {
		names = append(names, c.Sensors[i].Name)
	}
	if !strings.Contains(fmt.Sprint(names), "board") || !strings.Contains(fmt.Sprint(names), "eastron-sdm120") {
		t.Errorf("sensors %v; %+v", names, r)
	}
}

// TestInitForMachines: flags answer everything, and what is missing or wrong is one sentence.
func TestInitForMachines(t *testing.T) {
	t.Parallel()
	url, a := securedBroker(t)
	port := url[strings.LastIndex(url, ":")+1:]
	password := a.path("gw1.password")
	if err := os.WriteFile(password, []byte("open-sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.path("wrong"), []byte("no"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "etc")
	file := filepath.Join(dir, "fieldgate.toml")
	run := func(args ...string) (string, int) {
		t.Helper()
		c := exec.Command(needBinary(t), append([]string{"init", "-o", file, "--no-scan"}, args...)...)
		c.Stdin = strings.NewReader("open-sesame\n")
		out, _ := c.CombinedOutput()
		return string(out), c.ProcessState.ExitCode()
	}
	login := []string{"--username", "gw1", "--password-file", password}
	with := func(more ...string) []string {
		return append(append([]string{"--yes", "--broker", url}, login...), more...)
	}
	for _, v := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"nothing", nil, exitUsage, "--id is missing"},
		{"no broker", []string{"--yes"}, exitUsage, "--broker is missing"},
		{"no login", []string{"--id", "gw", "--broker", "mqtt://127.0.0.1:" + port}, exitUsage, "--username is missing"},
		{"bad id", []string{"--yes", "--id", "a/b", "--broker", "none"}, exitFailed, "--id: gateway.id"},
		{"bad URL", []string{"--yes", "--broker", "ftp://x"}, exitFailed, "mqtt.urls"},
		{"nobody knows the certificate", with(), exitFailed, "--ca-file"},
		{"wrong fingerprint", with("--trust-fingerprint", strings.Repeat("ab", 32)), exitFailed, "shows a certificate with the SHA-256 fingerprint " + fingerprint(a, "server")},
		{"no such CA file", with("--ca-file", "/no/such"), exitFailed, "--ca-file: "},
		{"no certificate in it", with("--ca-file", password), exitFailed, "has no certificate in PEM form"},
		{"nothing listens", []string{"--yes", "--broker", "mqtt://127.0.0.1:1"}, exitFailed, "nothing listens at the port"},
		{"wrong password", []string{"--yes", "--broker", url, "--username", "gw1", "--password-file", a.path("wrong"), "--ca-file", a.path("ca.pem")}, exitFailed, "not authorized"},
		{"password alone", []string{"--yes", "--broker", url, "--password-file", password, "--ca-file", a.path("ca.pem")}, exitFailed, "no user name"},
		{"another name", append([]string{"--yes", "--broker", "mqtts://localhost:" + port, "--ca-file", a.path("ca.pem")}, login...), exitFailed, "localhost"},
		{"Modbus that is not there", with("--ca-file", a.path("ca.pem"), "--modbus", "/dev/no-such"), exitFailed, "--modbus: "},
	} {
		out, code := run(v.args...)
		if code != v.code || !strings.Contains(out, v.want) {
			t.Errorf("%s: exit code %d, want %d and %q in\n%s", v.name, code, v.code, v.want, out)
		}
		if strings.Contains(out, "open-sesame") {
			t.Errorf("%s: the password is printed: %s", v.name, out)
		}
		only(t, dir)
	}
	for _, v := range [][]string{
		with("--ca-file", a.path("ca.pem")),
		with("--trust-fingerprint", fingerprint(a, "server")),
		with("--trust-fingerprint", "sha256:"+strings.ToLower(strings.ReplaceAll(fingerprint(a, "server"), ":", ""))),
		{"--yes", "--broker", "localhost:" + port, "--username", "gw1", "--password-file", "-", "--ca-file", a.path("ca.pem"), "--server-name", "127.0.0.1"},
		{"--yes", "--broker", "mqtts://nobody.invalid", "--no-test", "--username", "gw1", "--password-file", "-", "--ca-file", a.path("ca.pem")},
	} {
		out, code := run(v...)
		if code != exitDone {
			t.Errorf("%v: exit code %d: %s", v, code, out)
			continue
		}
		only(t, dir, "ca.pem", "fieldgate.toml", "mqtt-password")
		if _, err := config.Load(file, catalogue()); err != nil {
			t.Error(err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "mqtt-password")); err != nil || string(text) != "open-sesame\n" {
			t.Errorf("%q, %v", text, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// TestInitIsLeft: whoever goes away at any question finds everything as it was.
func TestInitIsLeft(t *testing.T) {
	t.Parallel()
	questions := []string{"Name of this gateway", "Broker, such as", "Its name", "Write this to"}
	for _, how := range []struct {
		key, says string
	}{{"\x03", "interrupted: nothing was changed"}, {"\x04", "the answers have ended: nothing was changed"}} {
		for i, last := range questions {
			dir := filepath.Join(t.TempDir(), "etc")
			s := sit(t, 200, nil, "init", "-o", filepath.Join(dir, "fieldgate.toml"), "--no-scan")
			for _, q := range questions[:i] {
				s.answer(q, "")
			}
			s.expect(last)
			s.types(how.key)
			s.expect(how.says)
			s.leaves(exitFailed)
			only(t, dir)
		}
	}
	// A password that was begun does not leave the terminal without echo.
	url, _ := securedBroker(t)
	for _, key := range []string{"\x03", "\x04"} {
		dir := filepath.Join(t.TempDir(), "etc")
		s := sit(t, 200, nil, "init", "-o", filepath.Join(dir, "fieldgate.toml"), "--no-scan", "--id", "gw", "--broker", url, "--username", "gw1")
		s.answer("Trust it", "y")
		s.expect("Password")
		s.types(key)
		s.leaves(exitFailed)
		only(t, dir)
	}
	// Nor does one whose terminal is closed.
	dir := filepath.Join(t.TempDir(), "etc")
	s := sit(t, 200, nil, "init", "-o", filepath.Join(dir, "fieldgate.toml"), "--no-scan", "--id", "gw", "--broker", url, "--username", "gw1")
	s.answer("Trust it", "y")
	s.answer("Password", "open-sesame")
	s.expect("Its name")
	s.slave.Close()
	s.master.Close()
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on without a terminal")
	}
	only(t, dir)
}

// TestInitFitsNarrowTerminals: no line is wider than a terminal of 20 columns.
func TestInitFitsNarrowTerminals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := sit(t, 20, []string{"TERM=dumb"}, "init", "-o", filepath.Join(dir, "f.toml"), "--no-scan", "--id", "gw", "--broker", "none")
	s.answer("[board]:", "")
	s.answer("[Y/n]:", "")
	s.leaves(exitDone)
	for line := range strings.Lines(s.text()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 20 && !strings.Contains(line, "is there: gateway") && !strings.HasPrefix(line, "Next: ") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if strings.Contains(s.shown.String(), "\x1b") {
		t.Errorf("a dumb terminal got control sequences: %q", s.shown)
	}
}

// TestInitCannotWrite: a folder that may not be written to, a full file system and a read-only one
// are said before anybody is asked.
func TestInitCannotWrite(t *testing.T) {
	g := &gatewayRig{t: t, dir: t.TempDir(), binary: needBinary(t)}
	p := newPerson(t)
	closed := filepath.Join(p.home, "closed")
	if err := os.Mkdir(closed, 0o555); err != nil {
		t.Fatal(err)
	}
	if out := p.says("init", "-o", filepath.Join(closed, "f.toml"), "--yes", "--broker", "none", "--no-scan"); !strings.Contains(out, "permission denied: run it with sudo, or name another file with -o") || strings.Count(out, "\n") != 1 {
		t.Errorf("got %s", out)
	}
	if out, code := g.command("init", "-o", "/no/such/folder/f.toml", "--yes", "--broker", "none"); code != exitFailed || !strings.Contains(out, "make the directory") {
		t.Errorf("got %s", out)
	}
	full := t.TempDir()
	if err := syscall.Mount("tmpfs", full, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("a small file system needs root: ", err)
	}
	defer syscall.Unmount(full, syscall.MNT_DETACH)
	if err := os.WriteFile(filepath.Join(full, "rest"), make([]byte, 64<<10), 0o600); err != nil {
		t.Log("the rest is smaller: ", err)
	}
	if out, code := g.command("init", "-o", filepath.Join(full, "f.toml"), "--yes", "--broker", "none", "--no-scan"); code != exitFailed || !strings.Contains(out, "no space left on device: free some space") {
		t.Errorf("exit code %d: %s", code, out)
	}
	only(t, full, "rest")
	if err := syscall.Mount("", full, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if out, code := g.command("init", "-o", filepath.Join(full, "f.toml"), "--yes", "--broker", "none", "--no-scan"); code != exitFailed || !strings.Contains(out, "read-only: make it writable") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestInitReplacesThePackagesFile: the configuration that a package brings, and nobody has changed,
// gives way unasked.
func TestInitReplacesThePackagesFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "..", "cross", "packages", "files", "fieldgate.toml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "fieldgate.toml")
	g := &gatewayRig{t: t, dir: dir, binary: needBinary(t)}
	for _, v := range []struct {
		text string
		code int
	}{{string(text), exitDone}, {string(text) + "\n", exitFailed}} {
		if err := os.WriteFile(file, []byte(v.text), 0o644); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(v.text))
		if out, code := g.command("init", "-o", file, "--yes", "--broker", "none", "--no-scan", "--no-test"); code != v.code {
			t.Errorf("exit code %d, want %d; packagedSum in internal/setup is to be %s: %s", code, v.code, hex.EncodeToString(sum[:]), out)
		}
	}
}
