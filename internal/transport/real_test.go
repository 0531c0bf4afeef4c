package transport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fieldgate/fieldgate/config"
	"github.com/fieldgate/fieldgate/mqtt"
)

// program returns the path of an installed program, or skips.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(path); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed", name)
	return ""
}

// serve runs a server until the test ends, and waits until the ports listen.
func serve(t *testing.T, ports []string, argv ...string) {
	t.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() { _ = c.Process.Kill(); <-ended })
	for _, port := range ports {
		for {
			nc, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err == nil {
				nc.Close()
				break
			}
			select {
			case err := <-ended:
				ended <- err
				t.Fatalf("%s ended: %v", argv[0], err)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

// certificate writes a server's certificate for localhost that is its own authority.
func certificate(t *testing.T, dir string) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return write(t, dir, "cert.pem", string(text)), write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))), roots
}

// TestRealProxies reaches mosquitto through proxies of other people, with each transport.
func TestRealProxies(t *testing.T) {
	broker := program(t, "mosquitto")
	dir := t.TempDir()
	cert, key, roots := certificate(t, dir)
	ports := freePorts(t, 3)
	text := fmt.Sprintf("allow_anonymous true\nlistener %s 127.0.0.1\nlistener %s 127.0.0.1\ncertfile %s\nkeyfile %s\nlistener %s 127.0.0.1\nprotocol websockets\ncertfile %s\nkeyfile %s\n",
		ports[0], ports[1], cert, key, ports[2], cert, key)
	if os.Geteuid() == 0 {
		text = "user root\n" + text
	}
	serve(t, ports, broker, "-c", write(t, dir, "mosquitto.conf", text))
	urls := []string{"mqtt://localhost:" + ports[0], "mqtts://localhost:" + ports[1], "wss://localhost:" + ports[2] + "/mqtt"}

	for _, kind := range []struct {
		program, scheme string
		start           func(t *testing.T, path, port string, password bool)
	}{
		{"tinyproxy", "http", func(t *testing.T, path, port string, password bool) {
			text := "Port " + port + "\nListen 127.0.0.1\nLogLevel Error\n"
			if password {
				text += "BasicAuth gw secret\n"
			}
			serve(t, []string{port}, path, "-d", "-c", write(t, t.TempDir(), "tinyproxy.conf", text))
		}},
		{"microsocks", "socks5", func(t *testing.T, path, port string, password bool) {
			argv := []string{path, "-i", "127.0.0.1", "-p", port}
			if password {
				argv = append(argv, "-u", "gw", "-P", "secret")
			}
			serve(t, []string{port}, argv...)
		}},
	} {
		for _, password := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s with password %v", kind.program, password), func(t *testing.T) {
				path, port := program(t, kind.program), freePorts(t, 1)[0]
				kind.start(t, path, port, password)
				m := config.MQTT{URLs: urls, Proxy: kind.scheme + "://127.0.0.1:" + port}
				if password {
					m.ProxyUsername, m.ProxyPasswordFile = "gw", write(t, t.TempDir(), "password", "secret\n")
				}
				for _, u := range urls {
					if err := connects(t, New(Config{MQTT: m}), u, roots); err != nil {
						t.Errorf("%s: %v", u, err)
					}
				}
				if !password {
					return
				}
				write(t, filepath.Dir(m.ProxyPasswordFile), "password", "wrong")
				none := m
				none.ProxyUsername, none.ProxyPasswordFile = "", ""
				for _, m := range []config.MQTT{m, none} {
					for _, u := range urls {
						err := connects(t, New(Config{MQTT: m}), u, roots)
						if d := mqtt.Diagnose(err); err == nil || !strings.Contains(d.Cause, "user name and password") || !strings.Contains(d.Remedy, "the proxy's user name") {
							t.Errorf("%s: %v: %+v", u, err, d)
						}
					}
				}
			})
		}
	}
}

// connects runs a client until its first connection, or the first failure, which it returns.
func connects(t *testing.T, d *Dialer, broker string, roots *x509.CertPool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	result := make(chan error, 10)
	c, err := mqtt.New(mqtt.Config{URLs: []string{broker}, ClientID: "c", Dial: d.Dial, SessionExpiry: mqtt.NoSession,
		TLS: func(context.Context) (*tls.Config, error) { return &tls.Config{RootCAs: roots}, nil },
		OnEvent: func(e mqtt.Event) {
			if e.Kind == mqtt.Connected || e.Kind == mqtt.Disconnected {
				result <- e.Err
				cancel()
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Run(ctx)
	return <-result
}

// TestALPN: what the configuration says is offered to mqtts, and not to wss.
func TestALPN(t *testing.T) {
	cert, key, roots := certificate(t, t.TempDir())
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	chosen := make(chan string, 1)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1", "x-amzn-mqtt-ca"}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			_ = nc.(*tls.Conn).Handshake()
			chosen <- nc.(*tls.Conn).ConnectionState().NegotiatedProtocol
			nc.Close()
		}
	}()
	c := &config.Config{MQTT: config.MQTT{Proxy: config.NoProxy, TLS: config.TLS{ALPN: []string{"x-amzn-mqtt-ca"}}}}
	d := New(Config{MQTT: c.MQTT, Protocols: c.Protocols})
	given := &tls.Config{RootCAs: roots}
	for scheme, want := range map[string]string{"mqtts": "x-amzn-mqtt-ca", "wss": ""} {
		nc, err := d.Dial(t.Context(), &url.URL{Scheme: scheme, Host: l.Addr().String()}, given)
		if err == nil {
			nc.Close()
		}
		if got := <-chosen; got != want {
			t.Errorf("%s: %q was chosen, want %q (%v)", scheme, got, want, err)
		}
	}
	if given.NextProtos != nil {
		t.Error("the caller's configuration was changed")
	}
}
