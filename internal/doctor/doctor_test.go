package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/drivers"
	"github.com/fieldgate/fieldgate/drivers/bme280"
	"github.com/fieldgate/fieldgate/drivers/bme280/bme280test"
	"github.com/fieldgate/fieldgate/drivers/drivertest"
	"github.com/fieldgate/fieldgate/drivers/kit/board"
	"github.com/fieldgate/fieldgate/internal/contract"
	"github.com/fieldgate/fieldgate/internal/probe"
	"github.com/fieldgate/fieldgate/mqtt"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// healthy returns a machine with one sensor, a broker that b is, and a store that has room.
func healthy(t *testing.T, b *mqtttest.Broker) Config {
	t.Helper()
	c := &config.Config{Telemetry: config.Telemetry{Format: "json", BatchMax: 500, Compress: "none"},
		MQTT:   config.MQTT{URLs: []string{"mqtt://127.0.0.1:1883"}, ClientID: "gw", KeepAlive: time.Minute, SessionExpiry: time.Hour, Username: "gw"},
		Buffer: config.Buffer{MaxBytes: 8 << 20},
		Sensors: []config.Sensor{{
			Name: "hall", Driver: "bme280", Bus: "/dev/i2c-1", Every: time.Second, Enabled: true, Spec: bme280.Spec, Options: bme280.Spec.Options(),
		}},
	}
	return Config{Config: c, Store: filepath.Join(t.TempDir(), "queue.db"), Synchronised: true, Now: time.Now(),
		Buses: drivertest.OnI2C(0x76, bme280test.NewBME280()), Dial: b.Dial}
}

func text(checks []Check) string {
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "%s %s: %s → %s\n", c.Level, c.Subject, c.Detail, c.Remedy)
	}
	return b.String()
}

func TestHealthy(t *testing.T) {
	b := mqtttest.New(mqtttest.Behavior{})
	defer b.Close()
	checks := Examine(t.Context(), healthy(t, b))
	for _, c := range checks {
		if c.Level != OK || c.Remedy != "" {
			t.Errorf("want all well, got %+v", c)
		}
	}
	if len(checks) != 10 || Failed(checks) {
		t.Errorf("got\n%s", text(checks))
	}
	if v := b.Violations(); len(v) > 0 {
		t.Errorf("violations: %v", v)
	}
}

// The session of the gateway stays, and one that was made by the examination is gone with it.
func TestSessionIsLeftAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		p := healthy(t, b)
		Examine(t.Context(), p)
		synctest.Wait()
		connects, bye := b.Connects(), b.Disconnects()
		if len(connects) != 1 || connects[0].CleanStart || connects[0].ClientID != "gw" || connects[0].Properties.SessionExpiry != 3600 || connects[0].Will != nil {
			t.Errorf("got %+v", connects)
		}
		if len(bye) != 1 || bye[0].Code != 0 || !bye[0].Properties.Present.Has(packet.PropSessionExpiry) || bye[0].Properties.SessionExpiry != 0 {
			t.Errorf("want the session that was made ended, got %+v", bye)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		conn, err := b.Dial(t.Context(), nil, nil) // the gateway, before
		if err != nil {
			t.Fatal(err)
		}
		before := packet.Connect{ClientID: "gw", Properties: packet.Properties{Present: packet.Props(packet.PropSessionExpiry), SessionExpiry: 3600}}
		if _, err := conn.Write(before.Append(nil)); err != nil {
			t.Fatal(err)
		}
		if _, err := probe.ReadConnack(probe.NewReader(conn)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write((&packet.Disconnect{}).Append(nil)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		Examine(t.Context(), healthy(t, b))
		synctest.Wait()
		if bye := b.Disconnects(); len(bye) != 2 || bye[1].Properties.Present != 0 {
			t.Errorf("want the session that was there left alone, got %+v", bye)
		}
		conn.Close()
	})
}

func TestBroker(t *testing.T) {
	dial := func(err error) func(context.Context, *url.URL, *tls.Config) (net.Conn, error) {
		return func(context.Context, *url.URL, *tls.Config) (net.Conn, error) { return nil, err }
	}
	closed := func(context.Context, *url.URL, *tls.Config) (net.Conn, error) {
		a, b := net.Pipe()
		go func() { // ends with the write of the CONNECT
			_, _ = b.Read(make([]byte, 1024))
			b.Close()
		}()
		return a, nil
	}
	tests := []struct {
		name   string
		change func(*Config, *mqtttest.Behavior)
		want   string
	}{
		{"refused", func(_ *Config, h *mqtttest.Behavior) { h.Refuse = packet.BadUserNameOrPassword },
			"fail broker mqtt://127.0.0.1:1883: the broker refuses with 0x86 bad user name or password: mqtt: broker answered CONNACK 0x86 bad user name or password → check mqtt.username"},
		{"nobody listens", func(p *Config, _ *mqtttest.Behavior) {
			p.Dial = dial(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)})
		}, `nothing listens at the port: dial: connect: connection refused → check that the broker is running, and its port`},
		{"TLS to a port without", func(p *Config, _ *mqtttest.Behavior) { p.Dial = dial(tls.RecordHeaderError{Msg: "x"}) }, "the port does not speak TLS: tls: x → use mqtt://"},
		{"no answer", func(p *Config, _ *mqtttest.Behavior) { p.Dial = dial(context.DeadlineExceeded) }, "the broker does not answer: context deadline exceeded → a firewall"},
		{"not MQTT 5.0", func(p *Config, _ *mqtttest.Behavior) { p.Dial = closed }, "the connection was closed after CONNECT without an answer: EOF → check whether the broker knows MQTT 5.0"},
		{"no such name", func(p *Config, _ *mqtttest.Behavior) {
			p.Config.MQTT.URLs = []string{"mqtt://no-such-host.invalid:1883"}
		}, "→ check the host name in mqtt.urls"},
		{"one of two", func(p *Config, _ *mqtttest.Behavior) {
			p.Config.MQTT.URLs = []string{"mqtt://no-such-host.invalid:1883", "mqtt://127.0.0.1:1883"}
		}, "warn broker mqtt://no-such-host.invalid:1883"},
		{"no password file", func(p *Config, _ *mqtttest.Behavior) { p.Config.MQTT.PasswordFile = "/no/such/file" }, "fail broker mqtt://127.0.0.1:1883: mqtt password: open /no/such/file"},
		{"no CA file", func(p *Config, _ *mqtttest.Behavior) { p.Config.MQTT.TLS.CAFile = "/no/such/file" }, "fail broker mqtt://127.0.0.1:1883: mqtt.tls.ca_file: open /no/such/file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := mqtttest.New(mqtttest.Behavior{})
			defer b.Close()
			p := healthy(t, b)
			b.Behave(func(h *mqtttest.Behavior) { test.change(&p, h) })
			if got := text(p.broker(t.Context())); !strings.Contains(got, test.want) {
				t.Errorf("want %q, got %s", test.want, got)
			}
		})
	}
}

// A real TLS server whose certificate nobody trusts, and the real dialer.
func TestUntrustedBroker(t *testing.T) {
	server := newTLSServer(t)
	p := healthy(t, mqtttest.New(mqtttest.Behavior{}))
	p.Dial, p.Config.MQTT.URLs = mqtt.Dialer{}.Dial, []string{"mqtts://" + server}
	if got := text(p.broker(t.Context())); !strings.Contains(got, "set mqtt.tls.ca_file") {
		t.Errorf("got %s", got)
	}
}

func TestSensors(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"another address answers", func(p *Config) { p.Buses = drivertest.OnI2C(0x77, bme280test.NewBME280()) }, "fail sensor hall: bme280: "},
		{"which one", func(p *Config) { p.Buses = drivertest.OnI2C(0x77, bme280test.NewBME280()) }, "set address = 0x77"},
		{"wrong chip", func(p *Config) { p.Buses = drivertest.OnI2C(0x76, bme280test.NewBMP280()) }, `id 0x58: that is a BMP280, which measures no humidity: use driver = "bmp280"`},
		{"a field without a value", func(p *Config) {
			chip := bme280test.NewBME280()
			chip.Pressure = 0x80000
			p.Buses = drivertest.OnI2C(0x76, chip)
		}, "warn sensor hall: 3 fields in "},
		{"board", func(p *Config) {
			p.Board = board.Board{Model: "Raspberry Pi 4 Model B Rev 1.4", System: "Raspberry Pi OS 12 (bookworm)"}
		},
			"ok board: Raspberry Pi 4 Model B Rev 1.4, Raspberry Pi OS 12 (bookworm)"},
		{"disabled", func(p *Config) { p.Config.Sensors[0].Enabled, p.Buses = false, nil }, "ok sensor hall: it is disabled"},
		{"actuator", func(p *Config) {
			s := &p.Config.Sensors[0]
			p.Buses = nil
			s.Spec.Fields = func(any) []drivers.Field { return []drivers.Field{{Name: "state", Writable: true}} }
		}, "ok sensor hall: it was not tried"},
		{"hangs", func(p *Config) {
			s := &p.Config.Sensors[0]
			s.Timeout = time.Millisecond
			s.Spec.Open = func(ctx context.Context, _ drivers.Buses, _ string, _ any) (drivers.Driver, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		}, "→ check that the device is on"},
		{"the gateway has it", func(p *Config) {
			p.Buses = nil
			p.Running = &contract.LocalStatus{Config: "current", Health: contract.Health{Sensors: map[string]contract.SensorHealth{"hall": {State: "missing", Error: "no answer at 0x76"}}}}
		}, "fail sensor hall: missing: no answer at 0x76"},
		{"the gateway finds it frozen", func(p *Config) {
			p.Buses = nil
			p.Running = &contract.LocalStatus{Config: "current", Health: contract.Health{Sensors: map[string]contract.SensorHealth{"hall": {State: "frozen", Error: "no field has changed"}}}}
		}, "warn sensor hall: frozen: no field has changed"},
		{"the gateway reads it", func(p *Config) {
			p.Buses = nil
			p.Running = &contract.LocalStatus{Config: "current", Health: contract.Health{Sensors: map[string]contract.SensorHealth{"hall": {State: "ok", Reads: 7}}}}
		}, "ok sensor hall: ok, 7 readings, 0 failures"},
		{"the gateway does not know it", func(p *Config) { p.Buses, p.Running = nil, &contract.LocalStatus{Config: "last-good"} }, "warn sensor hall: the running gateway has no such sensor → fieldgate reload"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := mqtttest.New(mqtttest.Behavior{})
			defer b.Close()
			p := healthy(t, b)
			test.change(&p)
			checks := Examine(t.Context(), p)
			if got := text(checks); !strings.Contains(got, test.want) || Failed(checks) != strings.Contains(got, "fail ") {
				t.Errorf("want %q, got %s", test.want, got)
			}
			if p.Running != nil && len(b.Connects()) > 0 {
				t.Error("a connection was made although the gateway has its own")
			}
		})
	}
}

func TestClockAndCertificate(t *testing.T) {
	b := mqtttest.New(mqtttest.Behavior{})
	defer b.Close()
	p := healthy(t, b)
	p.Synchronised = false
	p.Config.Gateway.WaitForClock = 2 * time.Minute
	if got := text([]Check{p.clock(t.Context())}); !strings.Contains(got, "warn clock: not synchronised: readings wait for it for up to 2m (gateway.wait_for_clock)") ||
		!strings.Contains(got, "if that is blocked, set gateway.time_from") {
		t.Errorf("got %s", got)
	}
	for _, tt := range []struct {
		change func()
		want   string
	}{
		{func() { p.Config.Gateway.TimeFrom = "gps" }, "ok clock: not synchronised; the gateway takes the time of sensor gps as soon as that has a fix"},
		{func() {
			p.Config.Gateway.TimeFrom = "https://h/"
			p.AskTime = func(context.Context, string) (time.Time, time.Duration, error) {
				return time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), 520 * time.Millisecond, nil
			}
		}, "ok clock: not synchronised; https://h/ says that it is 2026-11-28T12:00:00Z, within 520ms (gateway.time_from)"},
		{func() {
			p.AskTime = func(context.Context, string) (time.Time, time.Duration, error) {
				return time.Time{}, 0, errors.New("asking https://h/ for the time: no answer within 10s")
			}
		}, "warn clock: not synchronised, and gateway.time_from does not help: asking https://h/ for the time: no answer within 10s → name a server"},
		{func() { p.ClockBasis = "the hypervisor keeps it" }, "ok clock: not synchronised according to the kernel; taken as right: the hypervisor keeps it"},
		{func() { p.Synchronised, p.ClockWithin = true, 12*time.Millisecond }, "ok clock: synchronised, within 12ms"},
		{func() {
			p.Running = &contract.LocalStatus{Clock: "from gateway.time_from (a GNSS sensor), within 1s", Health: contract.Health{ClockSync: true}}
		}, "ok clock: the gateway has the time: from gateway.time_from (a GNSS sensor), within 1s"},
	} {
		if tt.change(); !strings.Contains(text([]Check{p.clock(t.Context())}), tt.want) {
			t.Errorf("want %q, got %s", tt.want, text([]Check{p.clock(t.Context())}))
		}
	}
	p.Running = nil
	p.Config.MQTT.TLS.CertFile, p.Config.MQTT.TLS.KeyFile = "/no/such/file", "/no/such/file"
	if got := text(p.certificate()); !strings.Contains(got, "fail certificate: it cannot be read: mqtt.tls.cert_file: open /no/such/file") {
		t.Errorf("got %s", got)
	}
	server := makeCertificate(t, time.Now().Add(30*24*time.Hour))
	p.Config.MQTT.TLS.CertFile, p.Config.MQTT.TLS.KeyFile = server.certFile, server.keyFile
	for days, want := range map[int]string{0: "ok certificate: it is valid for another 30 days", 20: "warn certificate: it expires in 10 days", 40: "fail certificate: it expired 10 days ago"} {
		p.Now = time.Now().Add(time.Duration(days) * 24 * time.Hour)
		if got := text(p.certificate()); !strings.Contains(got, want) {
			t.Errorf("want %q, got %s", want, got)
		}
	}
}

// TestMoreThanTheDayAllows: what telemetry takes is compared with mqtt.bytes_per_day.
func TestMoreThanTheDayAllows(t *testing.T) {
	b := mqtttest.New(mqtttest.Behavior{})
	defer b.Close()
	p := healthy(t, b)
	for limit, want := range map[config.Size]string{0: "", 1 << 30: "", 2 << 20: "of mqtt.bytes_per_day (2MiB)"} {
		p.Config.MQTT.BytesPerDay = limit
		got := text(p.wire(t.Context()))
		if strings.Contains(got, "bytes_per_day") != (want != "") || !strings.Contains(got, want) {
			t.Errorf("%v: got %s", limit, got)
		}
		if want != "" && !strings.Contains(got, "warn telemetry: it needs about") {
			t.Errorf("%v: got %s", limit, got)
		}
	}
}

func TestPassword(t *testing.T) {
	b := mqtttest.New(mqtttest.Behavior{})
	defer b.Close()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(name, []byte(text), mode), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, tt := range []struct{ name, file, env, credential, want string }{
		{"good", write("good", "secret", 0o640), "", "", "ok password: "},
		{"open to all", write("open", "secret", 0o644), "", "", "can be read by everyone (mode 0644) → sudo chown"},
		{"empty", write("empty", "\n", 0o600), "", "", "is empty → write the password"},
		{"missing", filepath.Join(dir, "none"), "", "", "no such file or directory → correct mqtt.password_file"},
		{"a directory", dir, "", "", "is a directory → correct mqtt.password_file"},
		{"environment", "", "FIELDGATE_NO_SUCH", "", "→ the service gets it from EnvironmentFile="},
		{"credential", "", "", "mqtt", "→ a systemd credential exists only for the service"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := healthy(t, b)
			p.Config.MQTT.PasswordFile, p.Config.MQTT.PasswordEnv, p.Config.MQTT.PasswordCredential = tt.file, tt.env, tt.credential
			got := text(append(p.passwordFile(), p.broker(t.Context())...))
			if !strings.Contains(got, tt.want) || strings.Contains(got, "secret") {
				t.Errorf("want %q, got %s", tt.want, got)
			}
		})
	}
}

func TestStore(t *testing.T) {
	b := mqtttest.New(mqtttest.Behavior{})
	defer b.Close()
	tests := []struct {
		name   string
		change func(*Config) error
		want   string
	}{
		{"no folder", func(p *Config) error { p.Store = "/no/such/folder/queue.db"; return nil }, "warn store: /no/such/folder does not exist"},
		{"a file in its place", func(p *Config) error {
			file := filepath.Join(filepath.Dir(p.Store), "x")
			p.Store = filepath.Join(file, "queue.db")
			return os.WriteFile(file, nil, 0o644)
		}, "/x is a file → move it away"},
		{"no folder that was named", func(p *Config) error {
			p.Config.Buffer.Path, p.Store = "/no/such/folder/queue.db", "/no/such/folder/queue.db"
			return nil
		}, "fail store: /no/such/folder/queue.db: directory does not exist: stat /no/such/folder: no such file or directory → create /no/such/folder"},
		{"a folder in its place", func(p *Config) error { return os.Mkdir(p.Store, 0o700) }, "is not a regular file → "},
		{"something else", func(p *Config) error { return os.WriteFile(p.Store, []byte("my diary"), 0o600) }, "not a store → choose another path"},
		{"in use", func(p *Config) error {
			f, err := os.Create(p.Store + ".lock")
			if err != nil {
				return err
			}
			t.Cleanup(func() { f.Close() })
			return syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		}, "fail store: "},
		{"in use by the gateway", func(p *Config) error {
			f, err := os.Create(p.Store + ".lock")
			if err != nil {
				return err
			}
			t.Cleanup(func() { f.Close() })
			p.Running = &contract.LocalStatus{}
			return syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		}, "ok store: "},
		{"disk almost full", func(p *Config) error { p.Config.Buffer.MinFree = 1 << 50; return nil }, "fail disk: "},
		{"disk too small for an outage", func(p *Config) error { p.Config.Buffer.MaxBytes = 1 << 50; return nil }, "warn disk: "},
		{"somebody else's file", func(p *Config) error {
			return errors.Join(os.WriteFile(p.Store, nil, 0o600), os.Chown(p.Store, 65533, 65533))
		}, "the gateway once ran as another user → sudo chown -R --reference="},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := healthy(t, b)
			if err := test.change(&p); errors.Is(err, os.ErrPermission) {
				t.Skip("only root can give files away")
			} else if err != nil {
				t.Fatal(err)
			}
			if got := text(p.store()); !strings.Contains(got, test.want) {
				t.Errorf("want %q, got %s", test.want, got)
			}
			if _, err := os.Stat(p.Store + "-wal"); err == nil {
				t.Error("the examination made a store")
			}
		})
	}
}
