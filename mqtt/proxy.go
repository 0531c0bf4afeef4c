package mqtt

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// A proxyProtocol is how to ask a proxy for a connection to address. The handshake takes nothing
// from the connection that belongs to what follows; the caller closes the connection to end a wait.
type proxyProtocol struct {
	port      string // if its URL has none
	handshake func(nc net.Conn, address string, user *url.Userinfo) error
}

var proxies = map[string]proxyProtocol{
	"http":   {"80", httpConnect},
	"socks5": {"1080", socks5},
}

// A ProxyError is the error of a connection attempt that a proxy ended, or that did not reach the
// proxy.
type ProxyError struct {
	Proxy string // its URL, without the password
	Err   error  // ErrProxyAuth, ErrProxyRefused, ErrNotProxy, of the network, or of the context
}

// Error implements error.
func (e *ProxyError) Error() string { return "proxy " + e.Proxy + ": " + e.Err.Error() }

// Unwrap returns e.Err.
func (e *ProxyError) Unwrap() error { return e.Err }

// Errors of proxies. They are wrapped: test with errors.Is.
var (
	// ErrProxyAuth means that the proxy wants a user name and a password, or others, or none.
	ErrProxyAuth = errors.New("user name and password")
	// ErrProxyRefused means that the proxy does not connect to the broker.
	ErrProxyRefused = errors.New("it does not connect")
	// ErrNotProxy means that what answers is not a proxy of the kind that its URL says.
	ErrNotProxy = errors.New("it is not such a proxy")
)

// maxProxyHeader is the longest answer of an HTTP proxy, in bytes.
const maxProxyHeader = 16 << 10

// httpVersion is how every answer of an HTTP proxy begins.
const httpVersion = "HTTP/1."

// httpConnect asks an HTTP proxy (RFC 9110, 9.3.6).
func httpConnect(nc net.Conn, address string, user *url.Userinfo) error {
	request := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\n"
	if user != nil {
		password, _ := user.Password()
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)) + "\r\n"
	}
	if _, err := io.WriteString(nc, request+"\r\n"); err != nil {
		return err
	}
	var header []byte
	for !strings.HasSuffix(string(header[max(0, len(header)-4):]), "\r\n\r\n") {
		if len(header) == maxProxyHeader {
			return fmt.Errorf("%w: its answer to CONNECT is longer than %d bytes", ErrNotProxy, maxProxyHeader)
		}
		var one [1]byte
		if _, err := io.ReadFull(nc, one[:]); err != nil {
			return fmt.Errorf("waiting for the answer to CONNECT: %w", err)
		}
		header = append(header, one[0])
		if n := len(header); n <= len(httpVersion) && string(header) != httpVersion[:n] { // waiting for more would take long
			return fmt.Errorf("%w: its answer to CONNECT begins with %q, which is not HTTP", ErrNotProxy, header)
		}
	}
	status, fields, _ := strings.Cut(string(header), "\r\n")
	_, code, _ := strings.Cut(status, " ")
	switch {
	case strings.HasPrefix(code, "2") && isHTML(fields): // a log-in page of a network
		return fmt.Errorf("%w: it answers CONNECT with a page of HTML", ErrNotProxy)
	case strings.HasPrefix(code, "2"):
		return nil
	case strings.HasPrefix(code, "407") && user == nil:
		return fmt.Errorf("it wants a %w", ErrProxyAuth)
	case strings.HasPrefix(code, "407"), strings.HasPrefix(code, "401"): // tinyproxy 1.11 says 401 to a wrong password
		return fmt.Errorf("it does not accept the %w", ErrProxyAuth)
	}
	return fmt.Errorf("%w to %s: %.80q", ErrProxyRefused, address, code)
}

// isHTML reports whether the header fields of an answer announce HTML.
func isHTML(fields string) bool {
	for line := range strings.Lines(fields) {
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Content-Type") && strings.Contains(strings.ToLower(value), "text/html") {
			return true
		}
	}
	return false
}

// Numbers of SOCKS5 (RFC 1928, RFC 1929).
const (
	socksVersion   = 5
	socksNoAuth    = 0
	socksPassword  = 2
	socksConnect   = 1
	socksIPv4      = 1
	socksName      = 3
	socksIPv6      = 4
	socksPasswordV = 1
)

var socksErrors = [...]string{
	1: "general failure", 2: "not allowed by its rules", 3: "network unreachable", 4: "host unreachable",
	5: "connection refused", 6: "TTL expired", 7: "command not supported", 8: "address type not supported",
}

// socks5 asks a SOCKS5 proxy, which resolves the name.
func socks5(nc net.Conn, address string, user *url.Userinfo) error {
	var in [2]byte
	exchange := func(out []byte) error {
		if _, err := nc.Write(out); err != nil {
			return err
		}
		if _, err := io.ReadFull(nc, in[:]); err != nil {
			return fmt.Errorf("waiting for its answer: %w", err)
		}
		return nil
	}
	method := byte(socksNoAuth)
	if user != nil {
		method = socksPassword
	}
	if err := exchange([]byte{socksVersion, 1, method}); err != nil {
		return err
	}
	if in[0] != socksVersion {
		return fmt.Errorf("%w: it does not speak SOCKS5", ErrNotProxy)
	}
	if in[1] != method {
		if user == nil {
			return fmt.Errorf("it wants a %w", ErrProxyAuth)
		}
		return fmt.Errorf("it takes no %w", ErrProxyAuth)
	}
	if user != nil {
		password, _ := user.Password()
		if len(user.Username()) > 255 || len(password) > 255 {
			return fmt.Errorf("it cannot take a %w of more than 255 bytes each", ErrProxyAuth)
		}
		b := append([]byte{socksPasswordV, byte(len(user.Username()))}, user.Username()...)
		if err := exchange(append(append(b, byte(len(password))), password...)); err != nil {
			return err
		}
		if in[1] != 0 {
			return fmt.Errorf("it does not accept the %w", ErrProxyAuth)
		}
	}
	request, err := socksAddress([]byte{socksVersion, socksConnect, 0}, address)
	if err != nil {
		return err
	}
	if err := exchange(request); err != nil {
		return err
	}
	if code := int(in[1]); code != 0 {
		reason := fmt.Sprintf("code %d", code)
		if code < len(socksErrors) {
			reason = socksErrors[code]
		}
		return fmt.Errorf("%w to %s: %s", ErrProxyRefused, address, reason)
	}
	return skipSocksAddress(nc)
}

// socksAddress appends an address in the form of RFC 1928, 5.
func socksAddress(b []byte, address string) ([]byte, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: %w", port, err)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && ip.Is4():
		b = append(append(b, socksIPv4), ip.AsSlice()...)
	case err == nil:
		b = append(append(b, socksIPv6), ip.AsSlice()...)
	case len(host) > 255:
		return nil, fmt.Errorf("host name of %d bytes, at most 255", len(host))
	default:
		b = append(append(b, socksName, byte(len(host))), host...)
	}
	return binary.BigEndian.AppendUint16(b, uint16(number)), nil
}

// skipSocksAddress reads what is left of the answer: the address that the proxy is bound to, which
// is useless.
func skipSocksAddress(r io.Reader) error {
	var head [3]byte // reserved, type, first byte of the address or its length
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("waiting for its answer: %w", err)
	}
	length := 0
	switch head[1] {
	case socksIPv4:
		length = net.IPv4len - 1
	case socksIPv6:
		length = net.IPv6len - 1
	case socksName:
		length = int(head[2])
	default:
		return fmt.Errorf("%w: it answers with address type %d", ErrNotProxy, head[1])
	}
	if _, err := io.CopyN(io.Discard, r, int64(length)+2); err != nil {
		return fmt.Errorf("waiting for its answer: %w", err)
	}
	return nil
}
