package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/internal/enrol"
	"github.com/fieldgate/fieldgate/internal/platform/aws/awstest"
	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
	"github.com/fieldgate/fieldgate/mqtt/packet"
)

// fakeAWS is a broker with mutual TLS, and the identity service of AWS behind it. It lets in the
// claim, until that is revoked, and certificates of registered things.
type fakeAWS struct {
	t       *testing.T
	broker  *mqtttest.Broker
	service *awstest.Service
	url     string
	dir     string // ca.pem, and a claim in claim.pem and claim.key
	claim   []byte // DER
	revoked atomic.Bool
	mu      sync.Mutex
	seen    func(event string)
}

func newFakeAWS(t *testing.T) *fakeAWS {
	t.Helper()
	f := &fakeAWS{t: t, broker: mqtttest.New(mqtttest.Behavior{}), dir: t.TempDir()}
	authority, err := awstest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if f.service, err = awstest.Serve(ctx, "mqtt://aws", f.broker.Dial); err != nil {
		t.Fatal(err)
	}
	f.service.Authority, f.service.Templates["fleet"] = authority, "plant7"
	f.service.Seen = func(event string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.seen != nil {
			f.seen(event)
		}
	}
	server, serverKey := f.issue(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	claim, claimKey := f.issue(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	f.claim = claim
	f.write("ca.pem", "CERTIFICATE", authority.Cert.Raw)
	f.newClaim(claim, claimKey)
	pool := x509.NewCertPool()
	pool.AddCert(authority.Cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{server}, PrivateKey: serverKey}}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if string(raw[0]) == string(f.claim) && !f.revoked.Load() || f.service.Active(raw[0]) {
				return nil
			}
			return errors.New("not active")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.broker.Serve(l)
	f.url = "mqtts://" + l.Addr().String()
	t.Cleanup(func() { f.service.Close(); f.broker.Close() })
	return f
}

// issue makes a key, and a certificate for it.
func (f *fakeAWS) issue(template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	f.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.t.Fatal(err)
	}
	der, err := f.service.Authority.Issue(template, key.Public())
	if err != nil {
		f.t.Fatal(err)
	}
	return der, key
}

func (f *fakeAWS) newClaim(der []byte, key *ecdsa.PrivateKey) {
	f.t.Helper()
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("claim.pem", "CERTIFICATE", der)
	f.write("claim.key", "PRIVATE KEY", text)
}

func (f *fakeAWS) path(name string) string { return filepath.Join(f.dir, name) }

func (f *fakeAWS) write(name, kind string, der []byte) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// at has a function called when the identity service sees an event for the first time from now on.
func (f *fakeAWS) at(event string, do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = func(e string) {
		if e == event {
			f.seen = nil
			do()
		}
	}
}

// gateway is one that has a claim and no identity.
func (f *fakeAWS) gateway() *gatewayRig {
	f.t.Helper()
	g := &gatewayRig{t: f.t, dir: f.t.TempDir(), binary: needBinary(f.t), log: &syncBuffer{}}
	f.configure(g, "fleet")
	f.t.Cleanup(func() {
		g.kill()
		if f.t.Failed() {
			f.t.Logf("log of the gateway:\n%s", g.log)
		}
	})
	return g
}

func (f *fakeAWS) configure(g *gatewayRig, template string) {
	f.t.Helper()
	text := fmt.Sprintf(`[gateway]
trust_clock = true
[cloud]
platform = "aws"
[enrol]
claim_cert = %q
claim_key = %q
template = %q
common_name = "board-17"
parameters = { SerialNumber = "17" }
[mqtt]
urls = [%q]
reconnect_max = "2s"
[mqtt.tls]
ca_file = %q
[control]
socket = %q
[[sensor]]
name = "wave"
driver = "sim"
every = "100ms"
`, f.path("claim.pem"), f.path("claim.key"), template, f.url, f.path("ca.pem"), g.path("control.sock"))
	if err := os.WriteFile(g.path("fieldgate.toml"), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// telemetry returns how many readings' messages came on the topics of the thing.
func (f *fakeAWS) telemetry() (n int) {
	for _, p := range f.broker.Published() {
		if strings.HasPrefix(p.Topic, "plant7/gw-17/telemetry/") && p.ClientID == "gw-17" {
			n++
		}
	}
	return n
}

// check looks at what is there once the gateway has its identity.
func (f *fakeAWS) check(t *testing.T, g *gatewayRig, madeMax int) {
	t.Helper()
	made, things := f.service.Certificates()
	active := 0
	for _, c := range made {
		if c.Thing != "" {
			active++
		}
	}
	if len(made) > madeMax || active != 1 || len(things) != 1 || things[0] != "gw-17" {
		t.Errorf("%d certificates made, %d active, things %q", len(made), active, things)
	}
	for _, name := range []string{f.path("claim.pem"), f.path("claim.key")} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
	if v := f.broker.Violations(); len(v) > 0 {
		t.Errorf("against the standard: %q", v)
	}
	if strings.Contains(g.log.String(), "PRIVATE KEY") {
		t.Error("the log has a key")
	}
}

// TestEnrolAtFirstRun: the first run measures at once, gets its identity, and sends under it.
func TestEnrolAtFirstRun(t *testing.T) {
	f := newFakeAWS(t)
	g := f.gateway()
	f.at("create-from-csr asked", func() {
		eventually(t, 10*time.Second, "it measures meanwhile", func() bool {
			s, err := g.ask()
			return err == nil && s.Health.Queue.Live+s.Health.Queue.Backlog > 0 && strings.Contains(s.Health.Link.Error, "gets its identity from the platform")
		})
	})
	g.start()
	eventually(t, 20*time.Second, "readings arrive under the thing's name", func() bool { return f.telemetry() > 3 })
	f.check(t, g, 1)
	for _, c := range f.broker.Connects() {
		if c.ClientID != "aws" && c.ClientID != "board-17" && c.ClientID != "gw-17" {
			t.Errorf("it connected as %q", c.ClientID)
		}
	}
	if code := g.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestEnrolKilled kills the first run at each of its steps. The next one goes on, with one thing
// and one active certificate.
func TestEnrolKilled(t *testing.T) {
	has := func(g *gatewayRig, name, text string) func() bool {
		return func() bool {
			got, err := os.ReadFile(filepath.Join(enrol.Dir(g.dir), name))
			return err == nil && strings.Contains(string(got), text)
		}
	}
	event := func(name string) func(*fakeAWS, *gatewayRig, func()) {
		return func(f *fakeAWS, _ *gatewayRig, kill func()) { f.at(name, kill) }
	}
	file := func(name, text string) func(*fakeAWS, *gatewayRig, func()) {
		return func(_ *fakeAWS, g *gatewayRig, kill func()) {
			go func() {
				ready := has(g, name, text)
				for end := time.Now().Add(20 * time.Second); !ready() && time.Now().Before(end); {
					time.Sleep(200 * time.Microsecond)
				}
				kill()
			}()
		}
	}
	for _, v := range []struct {
		name string
		made int
		at   func(f *fakeAWS, g *gatewayRig, kill func())
	}{
		{"key", 1, file("device.key", "PRIVATE")},
		{"certificate asked for", 2, event("create-from-csr asked")}, // the service signs it nevertheless
		{"certificate signed", 2, event("create-from-csr done")},
		{"certificate on the card", 1, file("state.json", `"signed"`)},
		{"certificate file", 1, file("device.pem", "CERTIFICATE")},
		{"registration asked for", 1, event("provision asked")},
		{"registered", 1, event("provision done")},
		{"registration on the card", 1, file("state.json", `"registered"`)},
		{"proven", 1, file("state.json", `"proven"`)},
		{"configuration", 1, file("enrolled.toml", "client_id")},
		{"done", 1, file("state.json", `"done"`)},
	} {
		t.Run(strings.ReplaceAll(v.name, " ", "-"), func(t *testing.T) {
			f := newFakeAWS(t)
			g := f.gateway()
			killed := make(chan struct{})
			g.start()
			process := g.cmd.Process
			v.at(f, g, func() { _ = process.Kill(); close(killed) })
			<-killed
			_ = g.cmd.Wait()
			g.cmd = nil
			g.start()
			eventually(t, 20*time.Second, "readings arrive under the thing's name", func() bool { return f.telemetry() > 0 })
			f.check(t, g, v.made)
		})
	}
}

// TestEnrolAWS: the command does the same by hand, once; what keeps it from that is one sentence
// with the remedy, and nothing is done twice once it is mended.
func TestEnrolAWS(t *testing.T) {
	f := newFakeAWS(t)
	g := f.gateway()
	command := func(more ...string) (string, int) {
		return g.command(append([]string{"enrol", "aws", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir, "--for", "100ms"}, more...)...)
	}
	refuse := func(want string) {
		t.Helper()
		out, code := command()
		t.Log(out)
		last := out[strings.LastIndex(strings.TrimRight(out, "\n"), "\n")+1:]
		if code != exitFailed || !strings.Contains(last, want) || strings.Count(out, "fieldgate enrol aws: ") != 1 {
			t.Errorf("want %q, got %d\n%s", want, code, out)
		}
	}
	good := map[string][]byte{}
	for _, name := range []string{"claim.pem", "claim.key"} {
		text, err := os.ReadFile(f.path(name))
		if err != nil {
			t.Fatal(err)
		}
		good[name] = text
	}
	der, key := f.issue(&x509.Certificate{NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	f.newClaim(der, key)
	refuse("expired")
	if err := os.WriteFile(f.path("claim.key"), []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuse("the claim cannot be used: enrol.claim_cert: ")
	for name, text := range good {
		if err := os.WriteFile(f.path(name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.revoked.Store(true)
	refuse("no connection with the claim: ")
	f.revoked.Store(false)
	for _, code := range []int{400, 401, 403, 429, 500} {
		f.service.Reject("create-from-csr", code)
		refuse(fmt.Sprintf("AWS rejects the certificate request (%d ", code))
	}
	f.configure(g, "nowhere")
	refuse("check that enrol.template names a template of this account and region")
	f.configure(g, "fleet")
	for _, code := range []int{400, 401, 403, 429, 500} {
		f.service.Reject("provision", code)
		refuse(fmt.Sprintf("AWS rejects the registration with the template fleet (%d ", code))
	}
	f.broker.Behave(func(b *mqtttest.Behavior) { b.AckCode = packet.NotAuthorized })
	refuse("the claim may not publish to $aws/provisioning-templates/fleet/provision/json")
	f.broker.Behave(func(b *mqtttest.Behavior) { b.AckCode = 0 })
	out, code := command()
	if code != exitDone || !strings.Contains(out, "this gateway is the thing gw-17") {
		t.Fatalf("%d: %s", code, out)
	}
	f.check(t, g, 1)
	if out, code := command("--json"); code != exitDone || !strings.Contains(out, `"thing": "gw-17"`) {
		t.Errorf("a second time: %d: %s", code, out)
	}
	f.check(t, g, 1)
	g.start()
	eventually(t, 20*time.Second, "readings arrive under the thing's name", func() bool { return f.telemetry() > 0 })
}

// TestEnrolNoAnswer: a service that leaves a request unanswered is asked again.
func TestEnrolNoAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for an answer for 30s")
	}
	f := newFakeAWS(t)
	f.service.Reject("provision", 0)
	g := f.gateway()
	g.start()
	eventually(t, 60*time.Second, "readings arrive under the thing's name", func() bool { return f.telemetry() > 0 })
	f.check(t, g, 1)
	if !strings.Contains(g.log.String(), "no answer to $aws/provisioning-templates/fleet/provision/json within 30s") {
		t.Error("the log does not say so")
	}
}

// TestEnrolAsService: the service, for which the claim's directory is read-only, enrols and names
// the files that it may not delete; what root enrols belongs to the service.
func TestEnrolAsService(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become the service's user")
	}
	needOther(t)
	for _, root := range []bool{false, true} {
		t.Run(map[bool]string{false: "service", true: "root"}[root], func(t *testing.T) {
			f := newFakeAWS(t)
			g := f.gateway()
			for _, dir := range []string{f.dir, g.dir} {
				for ; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
					if err := os.Chmod(dir, 0o755); err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, name := range []string{"claim.pem", "claim.key", "ca.pem"} {
				if err := os.Chmod(f.path(name), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chown(g.dir, 65534, 65534); err != nil {
				t.Fatal(err)
			}
			program := filepath.Join(f.dir, "fieldgate")
			if out, err := exec.Command("cp", g.binary, program).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if root {
				if out, code := g.command("enrol", "aws", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir); code != exitDone {
					t.Fatalf("%d: %s", code, out)
				}
			}
			g.cmd = exec.Command(program, "run", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir)
			g.cmd.Stderr = g.log
			g.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			if err := g.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, 20*time.Second, "readings arrive under the thing's name", func() bool { return f.telemetry() > 0 })
			entries, err := os.ReadDir(enrol.Dir(g.dir))
			if err != nil || len(entries) != 5 {
				t.Fatalf("%v, %v", entries, err)
			}
			for _, e := range entries {
				info, err := e.Info()
				if err != nil || info.Mode() != 0o600 || info.Sys().(*syscall.Stat_t).Uid != 65534 {
					t.Errorf("%s: %+v, %v", e.Name(), info.Mode(), err)
				}
			}
			if root {
				f.check(t, g, 1)
				return
			}
			remedy := "is still here: sudo rm " + f.path("claim.pem") + " " + f.path("claim.key")
			if !strings.Contains(g.log.String(), "sudo rm "+f.path("claim.key")) || !strings.Contains(g.log.String(), remedy) {
				t.Error("the log does not name the claim's files with the remedy")
			}
		})
	}
}
