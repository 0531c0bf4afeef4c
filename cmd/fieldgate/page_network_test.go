package main

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestStatusPageForTheNetwork: without password or TLS it is refused; with both `status` prints the
// link and the certificate, and whoever signs in sees the state, the losses and a command.
func TestStatusPageForTheNetwork(t *testing.T) {
	broker := newMosquitto(t)
	g, host := newPageGateway(t, broker.url())
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(g.path("fieldgate.toml"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(g.path("fieldgate.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := strings.Replace(string(text), `"`+host+`"`, `"0.0.0.0:`+port+`"`, 1)
	write(open)
	if out, code := g.command("check", g.path("fieldgate.toml")); code != exitUsage || !strings.Contains(out, "open to the network without TLS") || !strings.Contains(out, "set page.self_signed = true") {
		t.Errorf("check of a page without TLS: %d\n%s", code, out)
	}
	write(strings.Replace(open, "[page]\n", "[page]\nself_signed = true\n", 1))
	g.running()
	g.online()

	out, _ := g.command("status", "-c", g.path("fieldgate.toml"), "--socket", g.path("control.sock"))
	found := regexp.MustCompile(`page +(https://\S+:` + port + `/) \(certificate SHA-256 ([0-9A-F:]{95})\)`).FindStringSubmatch(out)
	if found == nil {
		t.Fatalf("status does not say where the page is:\n%s", out)
	}
	if info, err := os.Stat(g.path("page-certificate.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the certificate: %v, %v", info, err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		sum := sha256.Sum256(s.PeerCertificates[0].Raw)
		if strings.ToUpper(hex.EncodeToString(sum[:])) != strings.ReplaceAll(found[2], ":", "") {
			return errors.New("another certificate than status says")
		}
		return nil
	}}}}
	page := "https://127.0.0.1:" + port + "/"
	read := func(r *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	if body := read(client.Get(page)); strings.Contains(body, "wave") || !strings.Contains(body, "Password") {
		t.Errorf("without the password:\n%s", body)
	}
	if body := read(client.PostForm(page+"login", url.Values{"password": {pagePassword}})); !strings.Contains(body, "wave") || !strings.Contains(body, "Sign out") {
		t.Fatalf("with the password:\n%s", body)
	}
	broker.client("mosquitto_pub", "-q", "1", "-t", "fieldgate/gw/cmd/read", "-m", `{"id":"from-afar","args":{"sensor":"wave"}}`)
	eventually(t, 5*time.Second, "the command is on the page", func() bool {
		return strings.Contains(read(client.Get(page)), `<td class="meta">from-afar</td><td><span class="badge ok">succeeded</span>`)
	})
	if strings.Contains(g.log.String(), pagePassword) {
		t.Error("the password is in the log")
	}
	if code := g.stop(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}
