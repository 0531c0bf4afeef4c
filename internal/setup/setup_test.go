package setup

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers/all"
	"github.com/fieldgate/fieldgate/drivers/bme280/bme280test"
	"github.com/fieldgate/fieldgate/drivers/bus"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/kit/sysfs"
	"github.com/fieldgate/fieldgate/internal/scan"
)

// A script answers questions that begin with a text, each answer once; others get their default.
type script struct {
	t       *testing.T
	answers map[string][]string
	said    strings.Builder
	asked   []string
}

func (s *script) Ask(ctx context.Context, q Question) (string, error) {
	s.asked = append(s.asked, q.Text)
	for begin, list := range s.answers {
		if strings.HasPrefix(strings.TrimSpace(q.Text), begin) && len(list) > 0 {
			s.answers[begin] = list[1:]
			return list[0], ctx.Err()
		}
	}
	if len(s.asked) > 100 {
		s.t.Fatalf("it asks and asks: %q\n%s", s.asked, &s.said)
	}
	return q.Default, ctx.Err()
}
func (s *script) Say(text string) { s.said.WriteString(text + "\n") }
func (s *script) Progress(string) {}
func (s *script) Patient() bool   { return true }

// conversation is a setup without a broker's network: connections work.
func conversation(t *testing.T, answers map[string][]string) (Config, *script) {
	t.Helper()
	s := &script{t: t, answers: answers}
	return Config{
		File: filepath.Join(t.TempDir(), "fieldgate.toml"), Ask: s, Catalogue: config.Catalogue{Drivers: all.Specs(), Formats: config.Words{{Name: "json", Doc: "x"}}}, Buses: drivertest.None(),
		Scan:    func(context.Context, bool) *scan.Found { return new(scan.Found) },
		Dial:    func(context.Context, *config.Config, *tls.Config) error { return nil },
		Connect: func(context.Context, *config.Config) (string, error) { return "it accepts this gateway", nil },
	}, s
}

// TestSensorsAreTried: of the chips that can have an address the one that is there is taken, with a
// reading; one that does not answer is left out, and so is what only the board itself is made of.
func TestSensorsAreTried(t *testing.T) {
	c, s := conversation(t, map[string][]string{"Its name": {"-"}}) // not the board
	c.Buses, c.I2C = drivertest.OnI2C(0x76, bme280test.NewBMP280()), true
	c.Scan = func(_ context.Context, identify bool) *scan.Found {
		if !identify {
			t.Error("the chips may be asked, and are not")
		}
		return &scan.Found{
			I2C: []scan.Bus{{Bus: "/dev/i2c-1", Devices: []scan.Device{
				{Address: "0x76", Drivers: []string{"bme280", "bmp280"}}, {Address: "0x44", Drivers: []string{"sht4x"}}, {Address: "0x50"},
				{Address: "0x68", Kernel: "rtc-ds1307"}}}, {Bus: "/dev/i2c-7", Error: "/dev/i2c-7: permission denied: join the group i2c"}},
			Serial: []bus.SerialPort{{Name: "/dev/ttyUSB0", Users: []string{"process 812 (ModemManager)"}}},
			Hwmon:  []sysfs.Listed{{Name: "coretemp", Device: "coretemp.0", Channels: []string{"temp1"}}},
		}
	}
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	said := s.said.String()
	for _, want := range []string{"0x76 on /dev/i2c-1, which may be bme280 or bmp280\n  bmp280: temperature ", "It cannot be read: ", "/dev/i2c-7: permission denied: join the group i2c.", "/dev/ttyUSB0 is in use by process 812 (ModemManager) and was left alone."} {
		if !strings.Contains(said, want) {
			t.Errorf("want %q in\n%s", want, said)
		}
	}
	if len(r.Sensors) != 1 || r.Sensors[0].Name != "bmp280" || !strings.Contains(r.Sensors[0].Reading, " Pa") || len(r.Left) != 3 || r.Left[1].Error == "" {
		t.Errorf("%+v", r)
	}
	text, err := os.ReadFile(c.File)
	if err != nil {
		t.Fatal(err)
	}
	if want := "[[sensor]]\nname = \"bmp280\"\ndriver = \"bmp280\"\nbus = \"/dev/i2c-1\"\nevery = \"10s\"\n[sensor.options]\naddress = 0x76\n"; !strings.HasSuffix(string(text), want) {
		t.Errorf("got\n%s", text)
	}
	loaded, err := config.Load(c.File, c.Catalogue)
	if err != nil || len(loaded.Sensors) != 1 {
		t.Errorf("%v", err)
	}
}

// TestSensorsOfOneKind: two of them have two names.
func TestSensorsOfOneKind(t *testing.T) {
	c, _ := conversation(t, nil)
	b := drivertest.OnI2C(0x76, bme280test.NewBME280())
	b.Attach(0x77, bme280test.NewBME280())
	c.Buses = b
	c.Scan = func(context.Context, bool) *scan.Found {
		return &scan.Found{I2C: []scan.Bus{{Bus: "/dev/i2c-1", Devices: []scan.Device{{Address: "0x76", Drivers: []string{"bme280"}}, {Address: "0x77", Drivers: []string{"bme280"}}}}}}
	}
	r, err := Run(t.Context(), c)
	if err != nil || len(r.Sensors) != 3 || r.Sensors[1].Name != "bme280" || r.Sensors[2].Name != "bme280-2" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestWhatPeopleType: names of brokers, users and passwords come back as they were typed.
func TestWhatPeopleType(t *testing.T) {
	for answer, want := range map[string]string{
		"broker.example.com": "mqtts://broker.example.com:8883", "192.168.1.5": "mqtts://192.168.1.5:8883", "10.0.0.1:1883": "mqtt://10.0.0.1:1883", "b:8884": "mqtts://b:8884",
		"ws://b/mqtt": "ws://b/mqtt", "fe80::1": "mqtts://[fe80::1]:8883", "[fe80::1]:1883": "mqtt://[fe80::1]:1883",
	} {
		if got := completed(answer); got != want {
			t.Errorf("%s: want %s, got %s", answer, want, got)
		}
	}
	for _, name := range []string{`pla"nt\7`, "$HOME ${PATH} $$", "gw é 日本"} {
		c, _ := conversation(t, map[string][]string{"Broker": {"mqtt://b"}, "User name": {name}, "Password": {" with spaces "}})
		r, err := Run(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := config.Load(c.File, c.Catalogue)
		if err != nil || loaded.MQTT.Username != name {
			t.Errorf("%q: %v", name, err)
		}
		if text, err := os.ReadFile(r.PasswordFile); err != nil || string(text) != " with spaces \n" {
			t.Errorf("%q, %v", text, err)
		}
	}
}

// TestBrokerIsWrittenAllTheSame: who cannot reach the broker from here may go on, and is not asked
// twice.
func TestBrokerIsWrittenAllTheSame(t *testing.T) {
	c, s := conversation(t, map[string][]string{"Broker": {"mqtt://b"}, "User name": {"gw1"}, "Password": {"x"}, "Try again": {"n"}})
	c.Connect = func(context.Context, *config.Config) (string, error) { return "", errors.New("it refuses") }
	r, err := Run(t.Context(), c)
	if err != nil || r.Broker != "mqtt://b" || r.BrokerError != "it refuses" {
		t.Errorf("%+v, %v", r, err)
	}
	if n := strings.Count(strings.Join(s.asked, "|"), "User name"); n != 1 {
		t.Errorf("the user name was asked for %d times", n)
	}
}

// TestModbusAtNobody: a line that is not there, and one where nobody answers, are said, and setup
// goes on.
func TestModbusAtNobody(t *testing.T) {
	c, s := conversation(t, map[string][]string{"Is there a Modbus line at /dev/ttyUSB0 (FTDI FT232R)": {"y"}, "Another Modbus": {"exec:/bin/true", "127.0.0.1:1", "127.0.0.99", None}})
	host := bus.New(slog.New(slog.DiscardHandler))
	defer host.Close()
	c.Buses = host
	c.Scan = func(context.Context, bool) *scan.Found {
		return &scan.Found{Serial: []bus.SerialPort{{Name: "/dev/ttyUSB0", Vendor: "FTDI", Product: "FT232R"}, {Name: "/dev/ttyUSB1", Users: []string{"process 1 (x)"}}}}
	}
	r, err := Run(t.Context(), c)
	if err != nil || len(r.Sensors) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, want := range []string{"  /dev/ttyUSB0: ", "is a program, which is no line", "  127.0.0.1:1: ", "  127.0.0.99:502: "} {
		if !strings.Contains(s.said.String(), want) {
			t.Errorf("want %q in\n%s", want, &s.said)
		}
	}
	if strings.Contains(strings.Join(s.asked, "|"), "ttyUSB1") {
		t.Errorf("a port that somebody uses is proposed: %q", s.asked)
	}
}

// TestOtherGatewaysFilesStay: a password that is there belongs to somebody.
func TestOtherGatewaysFilesStay(t *testing.T) {
	c, _ := conversation(t, map[string][]string{"Broker": {"mqtt://b"}, "User name": {"gw1"}, "Password": {"mine"}})
	theirs := filepath.Join(filepath.Dir(c.File), "mqtt-password")
	if err := os.WriteFile(theirs, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), c)
	if err != nil || r.PasswordFile != theirs+"-2" {
		t.Errorf("%+v, %v", r, err)
	}
	if text, err := os.ReadFile(theirs); err != nil || string(text) != "theirs" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestAllFilesOrNone: if the last file cannot have its place, the others are as they were.
func TestAllFilesOrNone(t *testing.T) {
	dir := t.TempDir()
	s, err := newStage(filepath.Join(dir, "fieldgate.toml"), true, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.remove()
	old := filepath.Join(dir, "old")
	for _, f := range []string{s.path("a"), s.path("b"), s.path("c")} {
		if err := s.put(f, []byte("new"), false); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	err = s.commit([]change{{from: s.path("a"), to: filepath.Join(dir, "a")}, {from: s.path("b"), to: old, kept: old + ".kept", there: true}, {from: s.path("c"), to: taken, there: true}})
	if err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(old); err != nil || string(text) != "old" {
		t.Errorf("%q, %v", text, err)
	}
	for _, gone := range []string{"a", "old.kept"} {
		if _, err := os.Stat(filepath.Join(dir, gone)); !os.IsNotExist(err) {
			t.Errorf("%s: %v", gone, err)
		}
	}
}

// TestServiceCanRead: if there is a group of the service, it may read all files, and nobody else.
func TestServiceCanRead(t *testing.T) {
	group := 54321
	if err := os.Chown(t.TempDir(), -1, group); err != nil {
		t.Skipf("giving files to another group: %v", err)
	}
	c, _ := conversation(t, map[string][]string{"Broker": {"mqtt://b"}, "User name": {"gw1"}, "Password": {"x"}})
	c.Group = &group
	r, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{r.File, r.PasswordFile} {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); info.Mode().Perm() != 0o640 || st.Gid != 54321 || st.Uid != 0 {
			t.Errorf("%s: mode %v, group %d, user %d", file, info.Mode(), st.Gid, st.Uid)
		}
	}
}

// TestConfDIsReadToo: a mistake in a file beside is said at once, with its place.
func TestConfDIsReadToo(t *testing.T) {
	c, _ := conversation(t, nil)
	dir := filepath.Join(filepath.Dir(c.File), "conf.d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.toml"), []byte("nonsense = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "conf.d/x.toml:1:1") {
		t.Errorf("got %v", err)
	}
}

// TestPackagedSum is that of the file which the packages have.
func TestPackagedSum(t *testing.T) {
	text, err := os.ReadFile("../../cross/packages/files/fieldgate.toml")
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != packagedSum {
		t.Errorf("packagedSum is to be %x", sum)
	}
}
