package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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

// reconnected waits until the gateway has connected n times again.
func (g *gatewayRig) reconnected(n uint64, limit time.Duration) {
	g.t.Helper()
	eventually(g.t, limit, fmt.Sprintf("connected %d times again", n), func() bool {
		s, err := g.ask()
		return err == nil && s.Health.Link.Connected && s.Health.Link.Reconnects >= n
	})
}

// TestCertificateIsTakenUp replaces the client's certificate while the gateway is connected to a
// broker that requires one: first by halves, then rightly. Nobody is told that the gateway was
// lost.
func TestCertificateIsTakenUp(t *testing.T) {
	if testing.Short() {
		t.Skip("the files are looked at every 30s")
	}
	t.Parallel()
	m := newMosquitto(t)
	a := newAuthority(t)
	a.issue("server", []net.IP{net.IPv4(127, 0, 0, 1)}, false)
	a.issue("gw-1", nil, false)
	a.issue("gw-2", nil, false)
	m.stop()
	port := freePort(t)
	conf, err := os.OpenFile(filepath.Join(m.dir, "mosquitto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(conf, "listener %s 127.0.0.1\ncafile %s\ncertfile %s\nkeyfile %s\nrequire_certificate true\nuse_identity_as_username true\n",
			port, a.path("ca.pem"), a.path("server.pem"), a.path("server.key"))
	}
	if err != nil {
		t.Fatal(err)
	}
	conf.Close()
	m.start()
	install := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(a.path(from))
		if err == nil {
			err = os.WriteFile(a.path(to), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	install("gw-1.pem", "gw.pem")
	install("gw-1.key", "gw.key")
	g := newGateway(t, "mqtts://127.0.0.1:"+port, fmt.Sprintf("[mqtt.tls]\nca_file = %q\ncert_file = %q\nkey_file = %q\n", a.path("ca.pem"), a.path("gw.pem"), a.path("gw.key"))+waveSensor)
	s := subscribe(t, m, "fieldgate/gw/#")
	g.running()
	g.online()
	if !strings.Contains(m.log.String(), "u'gw-1'") {
		t.Errorf("the broker does not know the certificate:\n%s", &m.log)
	}
	install("gw-2.pem", "gw.pem") // its key is still to come
	eventually(t, time.Minute, "the wrong pair is reported", func() bool {
		s, err := g.ask()
		return err == nil && strings.Contains(strings.Join(s.Health.Reasons, "\n"), "newer certificates or a newer password are not used: mqtt.tls.cert_file: tls: private key does not match public key")
	})
	if s, err := g.ask(); err != nil || s.Health.Link.Reconnects != 0 || !s.Health.Link.Connected {
		t.Errorf("the connection did not stay: %+v, %v", s.Health.Link, err)
	}
	install("gw-2.key", "gw.key")
	g.reconnected(1, time.Minute)
	if !strings.Contains(m.log.String(), "u'gw-2'") {
		t.Errorf("the broker was not shown the new certificate:\n%s", &m.log)
	}
	if n := strings.Count(g.log.String(), "changed and are not used"); n != 1 {
		t.Errorf("%d lines on the wrong pair", n)
	}
	if st, err := g.ask(); err != nil || st.Health.State != "ok" || !strings.Contains(g.log.String(), "session_present=true") {
		t.Errorf("want all well and the session kept: %v, %v", st.Health.Reasons, err)
	}
	if n := s.count("fieldgate/gw/status", `"lost"`); n != 0 {
		t.Errorf("%d times lost", n)
	}
	g.kill() // now it is
	eventually(t, time.Minute, "the gateway is lost", func() bool { return s.count("fieldgate/gw/status", `"lost"`) == 1 })
}

// tokenScript prints a JSON Web Token that lasts so many seconds, and counts its calls.
const tokenScript = `#!/bin/sh
echo x >> calls
[ -e broken ] && { echo "no token today" >&2; exit 1; }
part() { base64 -w 0 | tr '+/' '-_' | tr -d '='; }
printf '%%s.%%s.%%s\n' "$(printf '{"alg":"none"}' | part)" "$(printf '{"exp":%%s}' $(($(date +%%s) + %d)) | part)" "$(printf signature | part)"
`

// TestTokenIsRenewed: the password is a token that a command prints. The gateway connects again
// before it ends, and nobody is told that it was lost.
func TestTokenIsRenewed(t *testing.T) {
	if testing.Short() {
		t.Skip("credentials last 10s at least")
	}
	t.Parallel()
	m := newMosquitto(t)
	dir := t.TempDir()
	script := filepath.Join(dir, "token")
	if err := os.WriteFile(script, fmt.Appendf(nil, strings.Replace(tokenScript, "#!/bin/sh\n", "#!/bin/sh\ncd "+dir+"\n", 1), 14), 0o700); err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, m.url(), waveSensor)
	g.mqtt(fmt.Sprintf("username = \"gw\"\npassword_command = [%q, \"an argument\"]", script))
	s := subscribe(t, m, "fieldgate/gw/status")
	g.running()
	g.online()
	if out, code := g.command("doctor", "-c", g.path("fieldgate.toml")); code != exitDone || !strings.Contains(out, "limits") {
		t.Errorf("doctor: %s", out)
	}
	g.reconnected(2, time.Minute)
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	if n := strings.Count(string(calls), "x"); err != nil || n != 3 {
		t.Errorf("the command ran %d times for 3 connections, %v", n, err)
	}
	if n := s.count("fieldgate/gw/status", `"lost"`); n != 0 {
		t.Errorf("%d times lost", n)
	}
	if st, err := g.ask(); err != nil || st.Health.State != "ok" {
		t.Errorf("%v, %v", st.Health.Reasons, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "broken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the reason is reported", func() bool {
		s, err := g.ask()
		return err == nil && strings.Contains(s.Health.Link.Error, `exit status 1: it says "no token today"`)
	})
}

// TestProxyIsShown: status and doctor say that there is a proxy, and show no password.
func TestProxyIsShown(t *testing.T) {
	path, err := exec.LookPath("microsocks")
	if err != nil {
		t.Skip("microsocks is not installed")
	}
	m := newMosquitto(t)
	port := freePort(t)
	socks := exec.Command(path, "-i", "127.0.0.1", "-p", port, "-u", "gw", "-P", "open-sesame")
	if err := socks.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socks.Process.Kill(); _ = socks.Wait() })
	g := newGateway(t, m.url(), waveSensor)
	password := g.path("proxy-password")
	if err := os.WriteFile(password, []byte("open-sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.mqtt(fmt.Sprintf("proxy = \"socks5://127.0.0.1:%s\"\nproxy_username = \"gw\"\nproxy_password_file = %q", port, password))
	out, code := g.command("doctor", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir)
	for _, want := range []string{"it accepts this gateway, in ", ", through the proxy socks5://127.0.0.1:" + port, "the broker allows 1000 messages in flight (Receive Maximum), packets of any size, keep alive 1m, session expiry 24h, QoS 2, retained messages, wildcards, ",
		"no publish_rate, no bytes_rate, no message_max", "a message is acknowledged after ", "(median of 5, QoS 1 to fieldgate/gw/reply/doctor)"} {
		if !strings.Contains(out, want) || code != exitDone {
			t.Errorf("doctor exits with %d, want %q in\n%s", code, want, out)
		}
	}
	g.running()
	g.online()
	status, _ := g.command("status", "-c", g.path("fieldgate.toml"))
	if !strings.Contains(status, "online at "+m.url()+" through the proxy socks5://127.0.0.1:"+port+" for") {
		t.Errorf("status:\n%s", status)
	}
	out2, _ := g.command("doctor", "-c", g.path("fieldgate.toml"), "--state-dir", g.dir)
	for _, want := range []string{"the gateway is connected to " + m.url() + ", through the proxy", "the broker allows 1000 messages", "it was not measured"} {
		if !strings.Contains(out2, want) {
			t.Errorf("doctor beside the gateway: want %q in\n%s", want, out2)
		}
	}
	if strings.Contains(status+out+out2+g.log.String(), "open-sesame") {
		t.Error("the password is shown")
	}
}
