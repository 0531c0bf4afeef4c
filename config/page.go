package config

import (
	"fmt"
	"net"
	"strings"
)

// Page is [page].
type Page struct {
	Listen             string   `toml:"listen"`              // address and port; "" is off
	Hosts              []string `toml:"hosts"`               // names that the page is asked by, beside localhost and IP addresses
	PasswordFile       string   `toml:"password_file"`       // has the password that signs in
	PasswordCredential string   `toml:"password_credential"` // name of a systemd credential
	SelfSigned         bool     `toml:"self_signed"`         // TLS with a certificate that the gateway makes
	CertFile           string   `toml:"cert_file"`           // with KeyFile: TLS with this certificate
	KeyFile            string   `toml:"key_file"`
}

// Local reports whether only this machine reaches the page.
func (p Page) Local() bool {
	host, _, err := net.SplitHostPort(p.Listen)
	return err == nil && isLocal(host)
}

// TLS reports whether the page is served with TLS.
func (p Page) TLS() bool { return p.SelfSigned || p.CertFile != "" }

// Password reports whether there is a password.
func (p Page) Password() bool { return p.PasswordFile != "" || p.PasswordCredential != "" }

func (b *binder) checkPage(p *Page) {
	if p.PasswordFile != "" && p.PasswordCredential != "" {
		b.report(b.at("page"), "page: give one of password_file and password_credential, not both")
	}
	switch {
	case (p.CertFile == "") != (p.KeyFile == ""):
		b.report(b.at("page"), "page: cert_file and key_file go together")
	case p.SelfSigned && p.CertFile != "":
		b.report(b.at("page.self_signed"), "page.self_signed: there is a cert_file: remove one of them")
	}
	for i, name := range p.Hosts {
		path := fmt.Sprintf("page.hosts.%d", i)
		if name == "" || strings.ContainsAny(name, ":/@ ") {
			b.report(b.at(path), `%s: %q is not a host name: write it without scheme and port, such as "gw1.example.com"`, path, name)
		}
	}
	if p.Listen == "" {
		return
	}
	host, port, err := net.SplitHostPort(p.Listen)
	if err != nil || !isPort(port) || host != "" && host != "localhost" && net.ParseIP(host) == nil {
		b.report(b.at("page.listen"), `page.listen must be an address and a port, such as "127.0.0.1:8080" for this machine or "0.0.0.0:8443" for the network, not %q`, p.Listen)
		return
	}
	if p.Local() {
		return
	}
	if !p.Password() {
		b.report(b.at("page.listen"), `page.listen: %q is open to the network and there is no password: set page.password_file or page.password_credential, or listen on "127.0.0.1:%s"`, p.Listen, port)
	}
	if !p.TLS() {
		b.report(b.at("page.listen"), `page.listen: %q is open to the network without TLS, and everyone on the way could read the password: set page.self_signed = true, or page.cert_file and page.key_file, or listen on "127.0.0.1:%s"`, p.Listen, port)
	}
}
