package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldgate/fieldgate/mqtt/mqtttest"
)

// listenOn gives each connection of a free port to serve, and returns the port's address.
func listenOn(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go serve(nc)
		}
	}()
	return l.Addr().String()
}

// says writes a text to whoever connects, once something came from there or at once, and closes.
func says(text string, first bool) func(net.Conn) {
	return func(nc net.Conn) {
		defer nc.Close()
		b := make([]byte, 16<<10)
		if !first {
			_, _ = nc.Read(b)
		}
		_, _ = nc.Write([]byte(text))
		if first {
			_, _ = nc.Read(b)
		}
	}
}

// TestDiagnosePeers connects to what stands at real ports instead of a broker that takes the
// client: the cause is named, with what to do.
func TestDiagnosePeers(t *testing.T) {
	dir := t.TempDir()
	ca, stranger := newCertificate(t, dir, "ca", nil), newCertificate(t, dir, "stranger", nil)
	expired := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	server, late := newCertificate(t, dir, "server", ca), newCertificate(t, dir, "late", ca, expired)
	client, old, foreign := newCertificate(t, dir, "client", ca), newCertificate(t, dir, "old", ca, expired), newCertificate(t, dir, "foreign", stranger)
	elsewhere := newCertificate(t, dir, "elsewhere", ca, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"broker.example"} })
	noPEM := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(noPEM, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.parsed)
	overTLS := func(cert *certificate, auth tls.ClientAuthType) string {
		pair, err := tls.LoadX509KeyPair(cert.cert, cert.key)
		if err != nil {
			t.Fatal(err)
		}
		cfg := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: auth, ClientCAs: pool}
		return listenOn(t, func(nc net.Conn) {
			s := tls.Server(nc, cfg)
			if s.Handshake() != nil {
				time.Sleep(100 * time.Millisecond) // or a reset takes the alert along
			}
			nc.Close()
		})
	}
	with := func(cert, key string) func(context.Context) (*tls.Config, error) {
		return func(context.Context) (*tls.Config, error) {
			c := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
			if cert == "" {
				return c, nil
			}
			pair, err := tls.LoadX509KeyPair(cert, key)
			c.Certificates = []tls.Certificate{pair}
			return c, err
		}
	}
	plain := with("", "")
	forced := func(ctx context.Context) (*tls.Config, error) {
		c, err := with(foreign.cert, foreign.key)(ctx)
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.Certificates[0], nil }
		return c, err
	}
	web := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = web.Serve(l) }()
	t.Cleanup(func() { web.Close() })
	silent := listenOn(t, func(nc net.Conn) { time.Sleep(5 * time.Second); nc.Close() })
	_, broker := startMochi(t)
	mqttPort := strings.TrimPrefix(broker, "mqtt://")
	secure := overTLS(server, tls.RequireAndVerifyClientCert)
	for _, v := range []struct {
		name, scheme, address string
		tls                   func(context.Context) (*tls.Config, error)
		cause, remedy         string
		permanent             bool
	}{
		{"no client certificate", "mqtts", secure, plain, "certificate required", "wants a client certificate", true},
		{"client certificate expired", "mqtts", secure, with(old.cert, old.key), "expired certificate", "clock, then renew the certificate", true},
		{"client certificate of a stranger, kept back", "mqtts", secure, with(foreign.cert, foreign.key), "certificate required", "signed by its CA", true},
		{"client certificate of a stranger", "mqtts", secure, forced, "unknown certificate authority", "one signed by its CA", true},
		{"unknown CA", "mqtts", overTLS(foreign, tls.NoClientCert), plain, "not signed by an authority that this machine trusts", "set the CA file", true},
		{"server certificate expired", "mqtts", overTLS(late, tls.NoClientCert), plain, "has expired or is not yet valid", "clock", false},
		{"another host", "mqtts", overTLS(elsewhere, tls.NoClientCert), plain, "is not for \"127.0.0.1\"", "TLS server name", true},
		{"certificate and key of two pairs", "mqtts", secure, with(client.cert, server.key), "do not belong together", "a key that belong together", true},
		{"no key file", "mqtts", secure, with(client.cert, filepath.Join(dir, "none.key")), "none.key cannot be read: no such file", "check the path", true},
		{"a key that is none", "mqtts", secure, with(client.cert, noPEM), "not a PEM file", "PEM files", true},
		{"mqtts to a port without TLS", "mqtts", listenOn(t, says(" \x06\x00\x00\x03\"\x00\n", false)), plain, "does not speak TLS", "use mqtt://", true},
		{"mqtts to a port that answers little", "mqtts", listenOn(t, says(" \x02\x00\x00", false)), plain, "closed during the TLS handshake", "use mqtt://", false},
		{"mqtts to a broker's port without TLS", "mqtts", mqttPort, plain, "closed during the TLS handshake", "use mqtt://", false},
		{"mqtts to HTTP", "mqtts", l.Addr().String(), plain, "does not speak TLS but HTTP", "8883", true},
		{"mqtts to SSH", "mqtts", listenOn(t, says("SSH-2.0-OpenSSH_9.2\r\n", true)), plain, "does not speak TLS but SSH", "8883", true},
		{"mqtt to TLS that says so", "mqtt", listenOn(t, says("\x15\x03\x01\x00\x02\x02\x46", false)), nil, "speaks TLS, not MQTT", "use mqtts://", true},
		{"mqtt to TLS that closes", "mqtt", secure, nil, "closed after CONNECT", "mqtts://", false},
		{"mqtt to HTTP", "mqtt", l.Addr().String(), nil, "speaks HTTP", "1883", true},
		{"mqtt to SSH", "mqtt", listenOn(t, says("SSH-2.0-OpenSSH_9.2\r\n", true)), nil, "speaks SSH", "1883", true},
		{"silence", "mqtt", silent, nil, "stays silent", "firewall", false},
		{"silence under TLS", "mqtts", silent, plain, "does not answer", "firewall", false},
		{"MQTT 3.1.1 only, as NATS and aedes", "mqtt", listenOn(t, says(" \x02\x00\x01", false)), nil, "does not support MQTT 5.0", "update the broker", true},
		{"closed at CONNECT, as RabbitMQ 3.10", "mqtt", listenOn(t, says("", false)), nil, "closed after CONNECT", "RabbitMQ", false},
		{"nothing listens", "mqtt", "127.0.0.1:1", nil, "nothing listens", "running", false},
		{"no such name", "mqtt", "no-such-host.invalid:1883", nil, "cannot be looked up", "DNS", false},
	} {
		t.Run(v.name, func(t *testing.T) {
			k := start(t, Config{URLs: []string{v.scheme + "://" + v.address}, ClientID: "c", TLS: v.tls, ConnectTimeout: 2 * time.Second})
			e := k.await(t, Disconnected)
			d := Diagnose(e.Err)
			if !strings.Contains(d.Cause, v.cause) || !strings.Contains(d.Remedy, v.remedy) || d.Permanent != v.permanent {
				t.Errorf("%v:\n%q\n%q\npermanent %v", e.Err, d.Cause, d.Remedy, d.Permanent)
			}
			if v.permanent && e.Retry < time.Minute {
				t.Errorf("tried again after %v", e.Retry)
			}
		})
	}
}

// TestClosedAtConnect has a broker that closes at each CONNECT: the attempts become rare.
func TestClosedAtConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		b := mqtttest.New(mqtttest.Behavior{})
		defer b.Close()
		cfg := connectTo(b)
		cfg.Dial = func(context.Context, *url.URL, *tls.Config) (net.Conn, error) {
			attempts.Add(1)
			client, broker := net.Pipe()
			go says("", false)(broker)
			return client, nil
		}
		k := start(t, cfg)
		time.Sleep(time.Hour)
		if n := attempts.Load(); n > 100 {
			t.Errorf("%d attempts in an hour", n)
		}
		if d := Diagnose(k.await(t, Disconnected).Err); !strings.Contains(fmt.Sprint(d), "MQTT 5.0") {
			t.Errorf("%+v", d)
		}
	})
}
