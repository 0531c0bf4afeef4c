package examples

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExamples builds every program and runs it against mosquitto.
func TestExamples(t *testing.T) {
	dir := t.TempDir()
	makeCertificate(t, dir)
	plain, secure := startMosquitto(t, dir)
	for _, v := range []struct {
		name string
		args []string
		want []string // lines of the output, in this order
	}{
		{
			"tls", []string{"-broker", "mqtts://127.0.0.1:" + secure, "-ca", filepath.Join(dir, "cert.pem"), "-cert", filepath.Join(dir, "cert.pem"), "-key", filepath.Join(dir, "key.pem")},
			[]string{"received: hello over TLS"},
		},
		{
			"devicecontrol", []string{"-broker", "mqtt://127.0.0.1:" + plain},
			[]string{"controller: on: power is on", "controller: status: power is on", `controller: dance: unknown command "dance"`, "controller: off: power is off"},
		},
		{
			"subscriptions", []string{"-broker", "mqtt://127.0.0.1:" + plain},
			[]string{
				"watcher: status = online", "worker: subscribed to fieldgate/examples/subscriptions/kitchen/+: 0x01 granted QoS 1",
				"worker: kitchen/temperature = 21.5", "worker: unsubscribed from fieldgate/examples/subscriptions/kitchen/+",
				"worker: subscribed to fieldgate/examples/subscriptions/cellar/+: 0x01 granted QoS 1", "worker: cellar/temperature = 21.5",
				"worker: unsubscribed from fieldgate/examples/subscriptions/cellar/+", "watcher: status = lost",
			},
		},
		{
			"parallel", []string{"-broker", "mqtt://127.0.0.1:" + plain},
			[]string{"10 clients, 100 messages each: all 1000 arrived in "},
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			program := filepath.Join(dir, v.name)
			if out, err := exec.Command("go", "build", "-o", program, "./"+v.name).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, program, v.args...)
			var log bytes.Buffer
			cmd.Stderr = &log
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s%s", err, out, log.Bytes())
			}
			rest := string(out)
			for _, want := range v.want {
				i := strings.Index(rest, want)
				if i < 0 {
					t.Fatalf("no %q in what is left of the output:\n%s", want, out)
				}
				rest = rest[i+len(want):]
			}
		})
	}
}

// startMosquitto runs a broker until the test ends, and returns its ports without TLS and with TLS
// both ways.
func startMosquitto(t *testing.T, dir string) (plain, secure string) {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto" // not in everybody's PATH
		if _, err := os.Stat(program); err != nil {
			t.Skip("mosquitto is not installed")
		}
	}
	plain, secure = freePort(t), freePort(t)
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	config := fmt.Sprintf("allow_anonymous true\nlistener %s 127.0.0.1\nlistener %s 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\n",
		plain, secure, cert, cert, key)
	if os.Geteuid() == 0 {
		config = "user root\n" + config // or it could not use the test's files
	}
	file := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	deadline := time.Now().Add(10 * time.Second)
	for _, port := range []string{plain, secure} {
		for {
			nc, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err == nil {
				nc.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("mosquitto does not listen: %v", err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return plain, secure
}

// freePort returns a TCP port of the loopback interface on which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// makeCertificate makes a certificate for broker and client, which is its own authority.
func makeCertificate(t *testing.T, dir string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	must(os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
}
